//! `POST` and `DELETE /auth/session`, and what its cookie opens.

use http::Method;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, request, stage, told, verified};
use crate::support::TestServer;

const PATH: &str = "/auth/session";
const ME: &str = "/store/customers/me";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;
const CROSS_SITE: &str = r#"403 {"code":"cross_site_request","type":"not_allowed","message":"A session can be used for writing only from the shop's own pages"}"#;

/// Opens a session: what a browser would send back.
async fn open(server: &TestServer, token: &str) -> String {
    let answer = server.post(PATH, Some(token), json!({})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let header = answer.headers["set-cookie"].to_str().unwrap();
    let (cookie, attributes) = header.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Expires=Sat, 03 Jan 2026 03:04:05 GMT; HttpOnly; SameSite=Lax");
    cookie.to_owned()
}

cr_testkit::both! {
    /// A browser's session holds what the token held, and ends when it would.
    async fn a_session_opens_what_its_token_opened(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let answer = server.post(PATH, Some(&known.login), json!({})).await;
        assert_eq!(
            told(&answer),
            r#"200 {"user":{"actor_id":"<cus>","actor_type":"customer","auth_identity_id":"<authid>","auth_provider":"emailpass","mfa_enabled":false,"mfa_challenge_completed_at":null,"app_metadata":{"customer_id":"<cus>"},"user_metadata":{},"iat":1767323045,"exp":1767409445}}"#
        );
        let cookie = open(&server, &known.login).await;
        let another = open(&server, &known.login).await;
        assert_ne!(cookie, another, "a session is new on every POST");
        assert!(!cookie.contains(&known.id), "the cookie is sealed");
        let me = server.raw(request(Method::GET, ME, &[("cookie", &cookie)], None)).await;
        assert_eq!(me.json()["customer"]["id"], json!(known.id));
        clock.advance_seconds(86_399);
        assert_eq!(server.raw(request(Method::GET, ME, &[("cookie", &cookie)], None)).await.status.as_u16(), 200);
        clock.advance_seconds(1);
        assert_eq!(told(&server.raw(request(Method::GET, ME, &[("cookie", &cookie)], None)).await), OUT);
        server.stop().await;
    }

    /// Logging out tells the browser to forget the cookie.
    async fn deleting_a_session_clears_the_cookie(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let cookie = open(&server, &known.login).await;
        let answer = server.raw(request(Method::DELETE, PATH, &[("cookie", &cookie)], None)).await;
        assert_eq!(told(&answer), r#"200 {"success":true}"#);
        assert_eq!(
            answer.headers["set-cookie"],
            "cr.sid=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax"
        );
        assert_eq!(told(&server.send(Method::DELETE, PATH, None, None).await), OUT);
        assert_eq!(told(&server.send(Method::DELETE, PATH, Some(&known.login), None).await), OUT);
        server.stop().await;
    }

    /// Who may not log in opens no session either.
    async fn a_session_needs_a_customer_that_may_log_in(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let registration = server.register(EMAIL).await;
        assert_eq!(told(&server.post(PATH, None, json!({})).await), OUT);
        assert_eq!(told(&server.post(PATH, Some("nonsense"), json!({})).await), OUT);
        assert_eq!(told(&server.post(PATH, Some(&registration), json!({})).await), OUT);
        server.post("/store/customers", Some(&registration), json!({"email": EMAIL, "phone": PHONE})).await;
        assert_eq!(told(&server.post(PATH, Some(&registration), json!({})).await), OUT);
        server.stop().await;
    }

    /// The pages of the admin sign in by this route.
    async fn an_admin_opens_a_session(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        cr_core::workflows::create_user::run(&server.app, "admin@example.com", "Tr0ub4dor&3x".to_owned().into()).await.unwrap();
        let body = json!({"email": "admin@example.com", "password": "Tr0ub4dor&3x"});
        let login = server.post("/auth/user/emailpass", None, body).await.field("/token");
        let cookie = open(&server, &login).await;
        let me = server.raw(request(Method::GET, ME, &[("cookie", &cookie)], None)).await;
        assert_eq!(told(&me), OUT, "an admin is no customer");
        let inside = server.raw(request(Method::GET, "/admin/nothing", &[("cookie", &cookie)], None)).await;
        assert_eq!(inside.status.as_u16(), 404);
        server.stop().await;
    }

    /// A page that a customer happens to visit must not write in their name.
    async fn a_foreign_page_writes_nothing_by_cookie(database: TestDatabase) {
        let (server, _) = stage(&database, &[("trustProxy = []", "trustProxy = []\nstoreCors = \"https://shop.example\"")]).await;
        let known = verified(&server).await;
        let cookie = open(&server, &known.login).await;
        let write = async |headers: &[(&str, &str)]| {
            let mut all = vec![("cookie", cookie.as_str()), ("host", "api.example:9000")];
            all.extend_from_slice(headers);
            server.raw(request(Method::POST, ME, &all, Some(json!({"first_name": "Mallory"})))).await
        };
        for (headers, status) in [
            (&[("origin", "https://evil.example")][..], 403),
            (&[("origin", "null")], 403),
            (&[("sec-fetch-site", "cross-site")], 403),
            (&[("origin", "https://shop.example"), ("sec-fetch-site", "cross-site")], 403),
            (&[("origin", "https://shop.example")], 200),
            (&[("origin", "https://api.example:9000")], 200),
            (&[("sec-fetch-site", "same-origin")], 200),
            (&[], 200),
        ] {
            let answer = write(headers).await;
            assert_eq!(answer.status.as_u16(), status, "{headers:?} {}", answer.text);
            if status == 403 {
                assert_eq!(told(&answer), CROSS_SITE);
            }
        }
        // Reading is what CORS guards; a bearer token no browser adds by itself.
        let foreign = ("origin", "https://evil.example");
        let read = server.raw(request(Method::GET, ME, &[("cookie", &cookie), foreign], None)).await;
        assert_eq!(read.status.as_u16(), 200);
        let bearer = format!("Bearer {}", known.login);
        let write = server.raw(request(Method::POST, ME, &[("authorization", &bearer), foreign], Some(json!({})))).await;
        assert_eq!(write.status.as_u16(), 200);
        let logout = server.raw(request(Method::DELETE, PATH, &[("cookie", &cookie), foreign], None)).await;
        assert_eq!(told(&logout), CROSS_SITE);
        server.stop().await;
    }
}

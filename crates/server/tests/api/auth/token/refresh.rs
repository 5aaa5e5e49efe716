//! `POST /auth/token/refresh`.

use cr_core::modules::auth::token;
use http::Method;
use serde_json::json;

use crate::stage::{EMAIL, PHONE, claims, claims_of, prove, request, schedule_deletion, stage, told, verified};

const PATH: &str = "/auth/token/refresh";
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;

cr_testkit::both! {
    /// A client stays logged in without its password, and only by its bearer token.
    async fn a_live_token_becomes_a_newer_one(database: TestDatabase) {
        let (server, clock) = stage(&database, &[]).await;
        let known = verified(&server).await;
        clock.advance_seconds(100);
        let answer = server.post(PATH, Some(&known.login), json!({})).await;
        assert_eq!(told(&answer), r#"200 {"token":"<token>"}"#);
        let (old, new) = (claims(&known.login), claims(&answer.field("/token")));
        assert_eq!((&new["actor_id"], new["iat"].as_i64()), (&json!(known.id), old["iat"].as_i64().map(|iat| iat + 100)));
        assert_eq!(told(&server.send(Method::POST, PATH, Some(&known.login), None).await), r#"200 {"token":"<token>"}"#);

        let session = server.post("/auth/session", Some(&known.login), json!({})).await;
        let cookie = session.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(told(&server.raw(request(Method::POST, PATH, &[("cookie", &cookie)], None)).await), OUT);
        assert_eq!(told(&server.post(PATH, None, json!({})).await), OUT);
        clock.advance_seconds(86_400);
        assert_eq!(told(&server.post(PATH, Some(&known.login), json!({})).await), OUT);
        server.stop().await;
    }

    /// A registration token becomes a login when login would be one, and never sooner.
    async fn a_registration_token_becomes_a_login_only_when_verified(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let registration = server.register(EMAIL).await;
        let still = server.post(PATH, Some(&registration), json!({})).await;
        assert_eq!(claims(&still.field("/token"))["actor_id"], "");
        let body = json!({"email": EMAIL, "phone": PHONE});
        assert_eq!(server.post("/store/customers", Some(&registration), body).await.status.as_u16(), 200);
        assert_eq!(
            told(&server.post(PATH, Some(&registration), json!({})).await),
            r#"401 {"code":"verification_required","type":"unauthorized","message":"Email is not verified","customer_id":"<cus>","unverified":"email","token":"<token>"}"#
        );
        prove(&server, &registration, "email_verification", EMAIL).await;
        let login = server.post(PATH, Some(&registration), json!({})).await;
        assert_ne!(claims(&login.field("/token"))["actor_id"], "");
        server.stop().await;
    }

    /// A deletion under way ends the session at its next refresh.
    async fn an_account_that_is_about_to_go_is_not_refreshed(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        schedule_deletion(&database, &known.id).await;
        let pending = r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#;
        assert_eq!(told(&server.post(PATH, Some(&known.login), json!({})).await), pending);
        assert_eq!(told(&server.post("/auth/session", Some(&known.login), json!({})).await), pending);
        server.stop().await;
    }

    /// A token whose identity or customer is gone opens nothing.
    async fn what_is_gone_is_not_refreshed(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let nobody = token::issue(&server.app.shared.keys, &claims_of("customer", "", "authid_00000000000000000000000000"));
        assert_eq!(
            told(&server.post(PATH, Some(&nobody), json!({})).await),
            r#"404 {"type":"not_found","message":"AuthIdentity with id: <authid> was not found"}"#
        );
        database.sql(&format!("update customer set deleted_at = '2026-01-02T03:04:05.678Z' where id = '{}'", known.id)).await;
        assert_eq!(told(&server.post(PATH, Some(&known.login), json!({})).await), OUT);
        server.stop().await;
    }

    /// Other actors refresh by the same route, under Medusa's rules.
    async fn an_admins_token_is_refreshed(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let id = cr_core::workflows::create_user::run(&server.app, "admin@example.com", "Tr0ub4dor&3x".to_owned().into()).await.unwrap();
        let body = json!({"email": "admin@example.com", "password": "Tr0ub4dor&3x"});
        let login = server.post("/auth/user/emailpass", None, body).await.field("/token");
        let fresh = server.post(PATH, Some(&login), json!({})).await;
        assert_eq!(claims(&fresh.field("/token"))["actor_id"], json!(id));
        server.stop().await;
    }
}

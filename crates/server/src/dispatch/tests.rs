//! Requests through the whole router, with handlers that only tell what they were given.

use std::sync::{Arc, RwLock};

use axum::response::Response;
use cr_core::app::{App, Shared};
use cr_core::delivery::template::Templates;
use cr_core::keys::Keys;
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::options::{
    Erasure, Identifier, Limits, NoticeSection, Options, OtpCharset, PasswordHash, PasswordPolicy, TemplateSource,
};
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_testkit::TestDatabase;
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;
use crate::client_address::TrustedProxies;
use crate::middlewares::cors::Cors;
use crate::routes::{Route, Routes};
use crate::session;
use crate::state::{Access, Answer, Http, LiveCustomer};

const KEY: (&str, &str) = ("x-publishable-api-key", "pk_good");
const NO_KEY: &str = r#"{"type":"not_allowed","message":"Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard."}"#;
const BAD_KEY: &str =
    r#"{"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}"#;
const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;
const PENDING_DELETION: &str =
    r#"{"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled"}"#;

/// Tells what a handler sees.
fn echo(call: &Call) -> Value {
    let caller = call.auth.as_ref().map(|auth| {
        json!({"actor": auth.claims.actor_id, "identity": auth.claims.auth_identity_id, "session": auth.from_session})
    });
    json!({"params": call.params, "query": call.query, "body": call.body, "caller": caller})
}

const ECHO: crate::call::Handler = |call| Box::pin(async move { Reply::json(&echo(&call)) });
const PANIC: crate::call::Handler = |_| Box::pin(async { panic!("on purpose") });
const PAGE: crate::call::Handler = |_| Box::pin(async { Ok(Reply::html("<!doctype html>")) });
const HEALTH: crate::call::Handler = |_| Box::pin(async { Ok(Reply::text("OK")) });
const OPEN: crate::call::Handler = |call| {
    Box::pin(async move {
        let claims = call.claims()?.clone();
        let mut reply = Reply::json(&json!({"user": claims}))?;
        if let Some(cookie) = session::open(&call.state, &claims, call.secure)? {
            reply = reply.header(header::SET_COOKIE, cookie);
        }
        Ok(reply)
    })
};

static SAMPLE: &[Route] = &[
    Route::auth(Method::POST, "/auth/token/refresh", Gate::BearerIdentity, ECHO),
    Route::auth(Method::POST, "/auth/session", Gate::BearerActor, OPEN),
    Route::auth(Method::DELETE, "/auth/session", Gate::Session, ECHO),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}", Gate::Public, ECHO),
    Route::auth(Method::GET, "/auth/{actor_type}/{auth_provider}", Gate::Public, ECHO),
    Route::store(Method::POST, "/store/customers", Gate::Registrant, ECHO),
    Route::store(Method::GET, "/store/customers/me", Gate::Customer, ECHO),
    Route::store(Method::POST, "/store/customers/me", Gate::Customer, ECHO),
    Route::store(Method::POST, "/store/customers/otp/send", Gate::OptionalCustomer, ECHO),
    Route::store(Method::POST, "/store/customers/account-deletion/cancel-request", Gate::OptionalCustomer, ECHO)
        .during_deletion(),
    Route::admin(Method::GET, "/admin/account-deletion-requests", ECHO),
    Route::plain(Method::GET, "/health", HEALTH),
    Route::plain(Method::GET, "/page", PAGE),
    Route::plain(Method::GET, "/panic", PANIC),
];

/// Knows one key of each kind; customers are judged by their id.
struct Known;

impl Access for Known {
    fn publishable_key<'a>(&'a self, token: &'a str) -> Answer<'a, bool> {
        Box::pin(async move { Ok(token == "pk_good") })
    }

    fn secret_key<'a>(&'a self, token: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(async move { Ok((token == "sk_good").then(|| "apk_1".to_owned())) })
    }

    fn live_customer<'a>(&'a self, claims: &'a AuthClaims) -> Answer<'a, LiveCustomer> {
        Box::pin(async move {
            Ok(match claims.actor_id.as_str() {
                "cus_gone" => LiveCustomer::Gone,
                "cus_pending" => LiveCustomer::DeletionPending,
                _ => LiveCustomer::Live,
            })
        })
    }
}

fn options(production: bool) -> Options {
    let notice = || NoticeSection { template: TemplateSource::BuiltIn, subject: "Changed".to_owned(), disable: false };
    let limits = Limits {
        wrong_codes: Vec::new(),
        sends_per_subject: Vec::new(),
        sends_per_destination: Vec::new(),
        sends_per_address: Vec::new(),
        sends_per_channel: Vec::new(),
        sms_countries: Vec::new(),
        login_failures: Vec::new(),
        login_delay: 900,
        login_failures_per_address: Vec::new(),
        registrations_per_address: Vec::new(),
        resets: Vec::new(),
        cancel_requests_per_address: Vec::new(),
        password_changes: Vec::new(),
        referral_guesses: Vec::new(),
    };
    Options {
        production,
        storefront_url: None,
        registration_identifier: Identifier::Email,
        require_verification: false,
        verification_since: None,
        login_identifier: Identifier::Email,
        otp_length: 6,
        otp_charset: OtpCharset::Numeric,
        otp_expiry_minutes: 15,
        max_attempts: 5,
        email_verification: None,
        phone_verification: None,
        password_reset: None,
        account_deletion_request: None,
        scheduled_days: 7,
        erasure: Erasure::Anonymize,
        account_deletion_cancel: None,
        contact_change_notice: notice(),
        password_changed_notice: notice(),
        default_country: None,
        password: PasswordPolicy { min_length: 8, max_length: 128, reject_common: true },
        password_hash: PasswordHash::Scrypt,
        referral_max_levels: 10,
        referral_mask_contacts: false,
        limits,
        jwt_expires_in: 86400,
        auth_methods_per_actor: Vec::new(),
    }
}

/// A server around a database that no handler touches.
struct Server {
    state: Arc<ServerState>,
    _database: TestDatabase,
}

impl Server {
    async fn start() -> Self {
        Self::start_in(false).await
    }

    async fn start_in(production: bool) -> Self {
        let database = TestDatabase::empty_sqlite();
        let options = options(production);
        let secret = || SecretString::from("0123456789abcdef0123456789abcdef");
        let shared = Shared {
            keys: Keys::new(&[secret()], &secret()),
            templates: RwLock::new(Arc::new(Templates::load(&options).unwrap())),
            options,
            env: cr_testkit::env(1).0,
            wake: Notify::new(),
            faults: None,
        };
        let hashes = Arc::new(HashPool::new(1, Algorithm::Scrypt(HashParams::default())));
        let app = App { shared: Arc::new(shared), db: database.connect_as_is().await, hashes };
        let http = Http {
            store_cors: Cors::parse("http://localhost:8000").unwrap(),
            admin_cors: Cors::parse("http://localhost:7001").unwrap(),
            auth_cors: Cors::parse("http://localhost:8000,http://localhost:7001").unwrap(),
            publishable_key_required: true,
            trusted_proxies: TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]),
            body_limit: 102_400,
            access: Box::new(Known),
            routes: Routes::new(SAMPLE),
        };
        Self { state: Arc::new(ServerState { app, http }), _database: database }
    }

    /// `Bearer …` for an actor; an empty id is an identity without one.
    fn bearer(&self, actor_type: &str, actor_id: &str) -> String {
        format!("Bearer {}", token::issue(self.state.keys(), &self.claims(actor_type, actor_id)))
    }

    fn claims(&self, actor_type: &str, actor_id: &str) -> AuthClaims {
        let iat = self.state.now().seconds();
        AuthClaims {
            actor_id: actor_id.to_owned(),
            actor_type: actor_type.to_owned(),
            auth_identity_id: "authid_1".to_owned(),
            auth_provider: Some("emailpass".to_owned()),
            mfa_enabled: false,
            mfa_challenge_completed_at: None,
            app_metadata: serde_json::Map::new(),
            user_metadata: serde_json::Map::new(),
            iat,
            exp: iat + 60,
        }
    }

    /// `cr.sid=…` of a session.
    fn cookie(&self, actor_type: &str, actor_id: &str) -> String {
        let header = session::open(&self.state, &self.claims(actor_type, actor_id), true).unwrap().unwrap();
        header.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(ConnectInfo("127.0.0.1:5000".parse::<SocketAddr>().unwrap()));
        Answered::read(router(Arc::clone(&self.state)).oneshot(request).await.unwrap()).await
    }
}

/// An answer, read.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answered {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn caller(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["caller"].clone()
    }
}

/// The first failure answers, in Medusa's order: body, key, token; unknown routes alike.
#[tokio::test]
async fn the_first_failure_answers_in_medusas_order() {
    let server = Server::start().await;
    let bearer = server.bearer("customer", "cus_1");
    let json = ("content-type", "application/json");
    let token = ("authorization", bearer.as_str());
    for (line, headers, body, status, start) in [
        (
            "POST /store/customers/me",
            &[json][..],
            "{",
            400,
            r#"{"type":"invalid_data","message":"The request body is not"#,
        ),
        ("GET /store/customers/me", &[], "", 400, NO_KEY),
        ("GET /store/customers/me", &[("x-publishable-api-key", "")], "", 400, NO_KEY),
        ("GET /store/customers/me", &[("x-publishable-api-key", "pk_x"), token], "", 400, BAD_KEY),
        ("GET /store/customers/me", &[KEY], "", 401, UNAUTHORIZED),
        ("GET /store/customers/me", &[KEY, token], "", 200, "{\"params\""),
        ("GET /STORE/Customers/ME/", &[KEY, token], "", 200, "{\"params\""),
        ("GET /store/customers/menu", &[KEY], "", 401, UNAUTHORIZED),
        (
            "GET /store/customers/menu",
            &[KEY, token],
            "",
            404,
            r#"{"type":"not_found","message":"Cannot GET /store/customers/menu"}"#,
        ),
        ("GET /store/nope", &[], "", 400, NO_KEY),
        ("GET /store/nope?a=1", &[KEY], "", 404, r#"{"type":"not_found","message":"Cannot GET /store/nope"}"#),
        ("GET /store", &[KEY], "", 404, r#"{"type":"not_found","message":"Cannot GET /store"}"#),
        (
            "PUT /store/customers/me",
            &[KEY, token],
            "",
            404,
            r#"{"type":"not_found","message":"Cannot PUT /store/customers/me"}"#,
        ),
        ("GET /admin/nope", &[], "", 401, UNAUTHORIZED),
        ("GET /admin/account-deletion-requests", &[token], "", 401, UNAUTHORIZED),
        ("POST /auth/customer", &[], "", 404, r#"{"type":"not_found","message":"Cannot POST /auth/customer"}"#),
        ("POST /nope", &[json], "{", 400, r#"{"type":"invalid_data""#),
        ("POST /health", &[], "", 404, r#"{"type":"not_found","message":"Cannot POST /health"}"#),
        (
            "POST /auth/customer/%E0%A4%A",
            &[],
            "",
            400,
            r#"{"type":"invalid_data","message":"Failed to decode param '%E0%A4%A'"}"#,
        ),
        ("GET /auth/a/b?x=%00", &[], "", 400, r#"{"type":"invalid_data","message":"The request contains a NUL"#),
    ] {
        let answered = server.send(line, headers, body).await;
        assert_eq!(answered.status, status, "{line} {headers:?}: {}", answered.body);
        assert!(answered.body.starts_with(start), "{line} {headers:?}: {}", answered.body);
    }
}

/// Each gate, against each kind of caller.
#[tokio::test]
async fn gates_let_in_whom_medusa_lets_in() {
    let server = Server::start().await;
    let lines = [
        "POST /auth/token/refresh",
        "POST /auth/session",
        "DELETE /auth/session",
        "POST /store/customers",
        "GET /store/customers/me",
        "POST /store/customers/otp/send",
        "POST /store/customers/account-deletion/cancel-request",
        "GET /admin/account-deletion-requests",
    ];
    let bearer = |kind: &str, id: &str| ("authorization", server.bearer(kind, id));
    let cookie = |kind: &str, id: &str| ("cookie", server.cookie(kind, id));
    for (name, credential, statuses) in [
        ("nobody", ("x-none", String::new()), [401, 401, 401, 401, 401, 200, 200, 401]),
        ("customer", bearer("customer", "cus_1"), [200, 200, 401, 200, 200, 200, 200, 401]),
        ("identity", bearer("customer", ""), [200, 401, 401, 200, 401, 200, 200, 401]),
        ("gone", bearer("customer", "cus_gone"), [200, 200, 401, 401, 401, 200, 200, 401]),
        ("pending", bearer("customer", "cus_pending"), [200, 200, 401, 403, 403, 403, 200, 401]),
        ("user", bearer("user", "user_1"), [200, 200, 401, 401, 401, 200, 200, 200]),
        ("session", cookie("customer", "cus_1"), [401, 401, 200, 200, 200, 200, 200, 401]),
        ("admin session", cookie("user", "user_1"), [401, 401, 200, 401, 401, 200, 200, 200]),
        ("broken cookie", ("cookie", "cr.sid=abc".to_owned()), [401, 401, 401, 401, 401, 200, 200, 401]),
        ("secret key", ("authorization", "Basic sk_good".to_owned()), [401, 401, 401, 401, 401, 200, 200, 200]),
        ("other secret key", ("authorization", "Basic sk_x".to_owned()), [401, 401, 401, 401, 401, 200, 200, 401]),
        (
            "secret key as bearer",
            ("authorization", "Bearer sk_good".to_owned()),
            [401, 401, 401, 401, 401, 200, 200, 401],
        ),
    ] {
        for (line, status) in lines.iter().zip(statuses) {
            let answered = server.send(line, &[KEY, (credential.0, &credential.1)], "").await;
            assert_eq!(answered.status, status, "{name}: {line}: {}", answered.body);
            if status == 403 {
                assert_eq!(answered.body, PENDING_DELETION, "{name}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn an_optional_gate_recognises_and_never_refuses_for_a_bad_token() {
    let server = Server::start().await;
    for (bearer, caller) in [
        (server.bearer("customer", "cus_1"), json!({"actor": "cus_1", "identity": "authid_1", "session": false})),
        (server.bearer("customer", ""), json!({"actor": "", "identity": "authid_1", "session": false})),
        (server.bearer("customer", "cus_gone"), json!(null)),
        (server.bearer("user", "user_1"), json!(null)),
        ("Bearer garbage".to_owned(), json!(null)),
    ] {
        let answered = server.send("POST /store/customers/otp/send", &[KEY, ("authorization", &bearer)], "").await;
        assert_eq!(answered.caller(), caller, "{bearer}");
    }
}

/// A storefront in session mode sends both.
#[tokio::test]
async fn a_session_wins_over_a_bearer_token() {
    let server = Server::start().await;
    let cookie = server.cookie("customer", "cus_2");
    for bearer in [server.bearer("customer", "cus_1"), "Bearer garbage".to_owned()] {
        let headers = [KEY, ("cookie", &cookie), ("authorization", &bearer)];
        let answered = server.send("GET /store/customers/me", &headers, "").await;
        assert_eq!(answered.caller()["actor"], "cus_2", "{bearer}");
    }
    let admin_cookie = server.cookie("user", "user_1");
    let bearer = server.bearer("customer", "cus_1");
    let headers = [KEY, ("cookie", admin_cookie.as_str()), ("authorization", &bearer)];
    assert_eq!(server.send("GET /store/customers/me", &headers, "").await.caller()["actor"], "cus_1");
}

#[tokio::test]
async fn a_write_by_cookie_from_a_foreign_page_is_refused() {
    let server = Server::start().await;
    let cookie = server.cookie("customer", "cus_1");
    let bearer = server.bearer("customer", "cus_1");
    for (credential, line, origin, status) in [
        (("cookie", &cookie), "POST /store/customers/me", "http://evil.example", 403),
        (("cookie", &cookie), "POST /store/customers/me", "http://localhost:8000", 200),
        (("cookie", &cookie), "POST /store/customers/me", "http://localhost:7001", 403),
        (("cookie", &cookie), "POST /store/customers/me", "http://api.example", 200),
        (("cookie", &cookie), "GET /store/customers/me", "http://evil.example", 200),
        (("cookie", &cookie), "POST /store/customers/otp/send", "http://evil.example", 403),
        (("cookie", &cookie), "DELETE /auth/session", "http://evil.example", 403),
        (("authorization", &bearer), "POST /store/customers/me", "http://evil.example", 200),
    ] {
        let headers = [KEY, ("host", "api.example"), ("origin", origin), (credential.0, credential.1)];
        assert_eq!(server.send(line, &headers, "").await.status, status, "{line} {origin} {}", credential.0);
    }
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_is_ours_alone() {
    let server = Server::start().await;
    let mut claims = server.claims("customer", "cus_1");
    claims.exp = server.state.now().seconds();
    let ended = session::open(&server.state, &claims, true).unwrap().unwrap().to_str().unwrap().to_owned();
    let good = server.cookie("customer", "cus_1");
    for (cookie, status) in
        [(good.clone(), 200), (format!("{good}x"), 401), (ended.split(';').next().unwrap().to_owned(), 401)]
    {
        let answered = server.send("GET /store/customers/me", &[KEY, ("cookie", &cookie)], "").await;
        assert_eq!(answered.status, status, "{cookie}");
    }
}

/// As Medusa: a browser would drop a `Secure` cookie that came over plain HTTP.
#[tokio::test]
async fn in_production_a_session_opens_only_over_tls() {
    let server = Server::start_in(true).await;
    let bearer = server.bearer("customer", "cus_1");
    let token = ("authorization", bearer.as_str());
    for (headers, opened) in [
        (&[token, ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")][..], true),
        (&[token, ("x-forwarded-for", "203.0.113.9")], false),
    ] {
        let answered = server.send("POST /auth/session", headers, "").await;
        assert_eq!(answered.status, 200);
        let cookie = answered.header("set-cookie");
        assert_eq!(cookie.is_some(), opened);
        assert!(cookie.is_none_or(
            |cookie| cookie.starts_with("cr.sid=") && cookie.ends_with("; HttpOnly; Secure; SameSite=None")
        ));
    }
}

#[tokio::test]
async fn cors_headers_follow_the_route_and_its_namespace() {
    let server = Server::start().await;
    let store = ("origin", "http://localhost:8000");
    let admin = ("origin", "http://localhost:7001");
    for (line, headers, allowed_origin, vary) in [
        ("GET /store/customers/me", &[store][..], Some("http://localhost:8000"), Some("Origin")),
        ("GET /store/customers/me", &[admin], None, Some("Origin")),
        ("GET /store/customers/me", &[], None, Some("Origin")),
        (
            "POST /store/customers/me",
            &[store, ("content-type", "application/json; charset=x")],
            Some("http://localhost:8000"),
            Some("Origin"),
        ),
        ("HEAD /store/customers/me", &[store], None, None),
        ("PUT /store/customers/me", &[store], None, None),
        ("GET /store/nope", &[store, KEY], None, None),
        ("POST /auth/customer/emailpass", &[admin], Some("http://localhost:7001"), Some("Origin")),
        ("GET /admin/account-deletion-requests", &[admin], Some("http://localhost:7001"), Some("Origin")),
        ("GET /health", &[store], None, None),
    ] {
        let answered = server.send(line, headers, "{").await;
        assert_eq!(answered.header("access-control-allow-origin"), allowed_origin, "{line} {headers:?}");
        assert_eq!(answered.header("vary"), vary, "{line} {headers:?}");
        assert_eq!(answered.header("access-control-allow-credentials").is_some(), vary.is_some(), "{line} {headers:?}");
    }
}

#[tokio::test]
async fn preflights_of_known_routes_need_no_key_and_other_options_walk_the_chain() {
    let server = Server::start().await;
    let store = ("origin", "http://localhost:8000");
    let wants = |method| ("access-control-request-method", method);
    let asked = ("access-control-request-headers", "content-type,authorization");
    for (line, headers, status, body) in [
        ("OPTIONS /store/customers/me", &[store, wants("GET"), asked][..], 204, ""),
        ("OPTIONS /store/customers/me", &[wants("GET")], 204, ""),
        ("OPTIONS /store/customers/me", &[store, wants("PUT")], 400, NO_KEY),
        ("OPTIONS /store/customers/me", &[store], 400, NO_KEY),
        ("OPTIONS /store/nope", &[store, wants("GET")], 400, NO_KEY),
        ("OPTIONS /admin/nope", &[store, wants("GET")], 401, UNAUTHORIZED),
        ("OPTIONS /auth/session", &[store, wants("DELETE")], 204, ""),
        ("OPTIONS /auth/customer/emailpass", &[store], 200, "POST,GET,HEAD"),
        (
            "OPTIONS /auth/a/b/c",
            &[store, wants("POST")],
            404,
            r#"{"type":"not_found","message":"Cannot OPTIONS /auth/a/b/c"}"#,
        ),
        ("OPTIONS /health", &[], 200, "GET,HEAD"),
    ] {
        let answered = server.send(line, headers, "").await;
        assert_eq!((answered.status, answered.body.as_str()), (status, body), "{line} {headers:?}");
        if status == 204 {
            assert_eq!(answered.header("vary"), Some("Origin, Access-Control-Request-Headers"), "{line}");
            assert_eq!(
                answered.header("access-control-allow-methods"),
                Some("GET,HEAD,PUT,PATCH,POST,DELETE"),
                "{line}"
            );
            let echoed = headers.contains(&asked).then_some(asked.1);
            assert_eq!(answered.header("access-control-allow-headers"), echoed, "{line}");
            let origin = headers.contains(&store).then_some(store.1);
            assert_eq!(answered.header("access-control-allow-origin"), origin, "{line}");
        } else {
            assert_eq!(answered.header("vary"), None, "{line}");
            assert_eq!(answered.header("allow"), (status == 200).then_some(body), "{line}");
        }
    }
}

#[tokio::test]
async fn answers_carry_type_tag_length_and_id() {
    let server = Server::start().await;
    let answered = server.send("GET /health", &[("x-request-id", "req-1")], "").await;
    assert_eq!((answered.status, answered.body.as_str()), (200, "OK"));
    assert_eq!(answered.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answered.header("content-length"), Some("2"));
    assert_eq!(answered.header("x-request-id"), Some("req-1"));
    let tag = answered.header("etag").unwrap().to_owned();

    let again = server.send("GET /health", &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status, again.body.as_str(), again.header("content-type")), (304, "", None));

    let head = server.send("HEAD /health", &[("x-request-id", "a b")], "").await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("2")));
    assert_eq!(head.header("x-request-id").map(str::len), Some(32));

    let page = server.send("GET /page", &[], "").await;
    for name in ["content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"] {
        assert!(page.header(name).is_some(), "{name}");
        assert!(answered.header(name).is_none(), "{name}");
    }
}

/// One request's fault must not be another's.
#[tokio::test]
async fn a_panic_is_a_500_of_its_own() {
    let server = Server::start().await;
    let answered = server.send("GET /panic", &[], "").await;
    assert_eq!(answered.status, 500);
    assert_eq!(
        answered.body,
        r#"{"code":"unknown_error","type":"unknown_error","message":"An unknown error occurred."}"#
    );
}

#[tokio::test]
async fn handlers_get_what_was_sent() {
    let server = Server::start().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answered = server.send("POST /auth/Robot%20x/emailpass?a[b]=1&c=2&c=3", &[form], "email=a%40b.co&n[]=1").await;
    assert_eq!(
        answered.body,
        r#"{"params":{"actor_type":"Robot x","auth_provider":"emailpass"},"query":{"a":{"b":"1"},"c":["2","3"]},"body":{"email":"a@b.co","n":["1"]},"caller":null}"#
    );
    let json = ("content-type", "application/json");
    let answered = server.send("GET /auth/customer/emailpass", &[json], r#"{"n":12345678901234567890,"m":1.0}"#).await;
    assert!(answered.body.contains(r#""body":{"n":12345678901234567000,"m":1}"#), "{}", answered.body);
}

#[test]
fn unknown_paths_are_repeated_encoded() {
    for (path, printed) in [
        ("/nope", "/nope"),
        ("/nope<x>", "/nope%3Cx%3E"),
        ("/nope%3Cx", "/nope%3Cx"),
        ("/a%zz", "/a%25zz"),
        ("/a\"{}", "/a%22%7B%7D"),
        ("/ü", "/%C3%BC"),
    ] {
        assert_eq!(encode_path(path), printed, "{path}");
    }
}

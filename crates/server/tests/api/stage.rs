//! What the tests of all routes share: servers with other options, customers in a given state, answers as one comparable text.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::modules::auth::token::AuthClaims;
use cr_testkit::{Frozen, TestDatabase};
use http::{Method, Request};
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::support::{Answer, CHEAP, DEVELOPMENT, PASSWORD, TestServer};

/// The e-mail of [`verified`]'s customer.
pub(crate) const EMAIL: &str = "alice@example.com";
/// The phone of [`verified`]'s customer.
pub(crate) const PHONE: &str = "+15551234567";

/// A server on a configuration that differs from [`DEVELOPMENT`] in these texts.
pub(crate) async fn stage(database: &TestDatabase, edits: &[(&str, &str)]) -> (TestServer, Arc<Frozen>) {
    let mut config = DEVELOPMENT.to_owned();
    for (from, to) in edits {
        assert!(config.contains(from), "the configuration has no {from}");
        config = config.replace(from, to);
    }
    let (env, clock) = cr_testkit::env(1);
    (TestServer::start(database, &config, &[], env, CHEAP).await, clock)
}

/// Somebody whose registration is finished.
pub(crate) struct Known {
    /// `cus_…`.
    pub(crate) id: String,
    /// The registration token, still alive.
    pub(crate) registration: String,
    /// A login token.
    pub(crate) login: String,
}

/// A customer at [`EMAIL`] and [`PHONE`] whose e-mail is proven.
pub(crate) async fn verified(server: &TestServer) -> Known {
    let (registration, id) = server.customer(EMAIL, PHONE).await;
    let login = prove(server, &registration, "email_verification", EMAIL).await.field("/token");
    Known { id, registration, login }
}

/// Sends a code with a bearer token and brings it back: the answer of `otp/verify`.
pub(crate) async fn prove(server: &TestServer, bearer: &str, kind: &str, contact: &str) -> Answer {
    server.clear_inbox();
    let key = if kind == "email_verification" { "email" } else { "phone" };
    let sent = server.post("/store/customers/otp/send", Some(bearer), json!({"type": kind, key: contact})).await;
    let token = sent.field("/token");
    let code = server.code_to(contact).await;
    server.post("/store/customers/otp/verify", Some(bearer), json!({"token": token, "code": code})).await
}

/// Sends a request that a code answers, and reads the code: its token and the code.
pub(crate) async fn asked(
    server: &TestServer,
    path: &str,
    bearer: Option<&str>,
    body: Value,
    contact: &str,
) -> (String, String) {
    server.clear_inbox();
    let sent = server.post(path, bearer, body).await;
    assert_eq!(sent.status.as_u16(), 200, "{}", sent.text);
    (sent.field("/token"), server.code_to(contact).await)
}

/// Every error of a route that takes `{token, code}`: the token of nobody, the wrong code, too many, too late.
pub(crate) async fn refuses_codes(
    server: &TestServer,
    clock: &Frozen,
    path: &str,
    bearer: Option<&str>,
    (token, code): (&str, &str),
) {
    let wrong = if code == "000000" { "111111" } else { "000000" };
    let required = "Invalid request: Field 'token' is required; Field 'code' is required";
    assert_eq!(
        told(&server.post(path, bearer, json!({})).await),
        format!(r#"400 {{"type":"invalid_data","message":"{required}"}}"#)
    );
    assert_eq!(
        told(&server.post(path, bearer, json!({"token": "x", "code": code})).await),
        r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#
    );
    for _ in 0..5 {
        assert_eq!(
            told(&server.post(path, bearer, json!({"token": token, "code": wrong})).await),
            r#"400 {"type":"invalid_data","message":"Invalid OTP code"}"#
        );
    }
    assert_eq!(
        told(&server.post(path, bearer, json!({"token": token, "code": code})).await),
        r#"400 {"code":"otp_locked","type":"not_allowed","message":"Too many attempts. Request a new code."}"#
    );
    clock.advance_seconds(900);
    assert_eq!(
        told(&server.post(path, bearer, json!({"token": token, "code": code})).await),
        r#"400 {"type":"invalid_data","message":"OTP has expired"}"#
    );
}

/// Logs in by e-mail.
pub(crate) async fn login(server: &TestServer, email: &str, password: &str) -> Answer {
    server.post("/auth/customer/emailpass", None, json!({"email": email, "password": password})).await
}

/// A confirmed deletion request.
pub(crate) async fn schedule_deletion(database: &TestDatabase, customer: &str) {
    database
        .sql(&format!(
            "insert into account_deletion_request (id, customer_id, status, deletion_scheduled_at, created_at, updated_at) \
             values ('adr_1', '{customer}', 'confirmed', '2026-01-09T03:04:05.678Z', '2026-01-02T03:04:05.678Z', \
             '2026-01-02T03:04:05.678Z')"
        ))
        .await;
}

/// Any request with any headers; a JSON body where there is one.
pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match body {
        Some(json) => request.header("content-type", "application/json").body(Body::from(json.to_string())).unwrap(),
        None => request.body(Body::empty()).unwrap(),
    }
}

/// Status and body in one line; what differs between runs reads `<token>`, `<cus>`, `<authid>`.
pub(crate) fn told(answer: &Answer) -> String {
    format!("{} {}", answer.status.as_u16(), masked(&answer.text))
}

/// A text without the parts that chance decides.
pub(crate) fn masked(text: &str) -> String {
    static TOKEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+").unwrap());
    static ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(cus|authid|otp|user|adr|refl)_[0-9A-Z]{26}\b").unwrap());
    ID.replace_all(&TOKEN.replace_all(text, "<token>"), "<$1>").into_owned()
}

/// What a token says.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_else(|| panic!("{token} is no JWT"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Claims of somebody, good for an hour from the frozen moment.
pub(crate) fn claims_of(actor_type: &str, actor_id: &str, identity: &str) -> AuthClaims {
    let mut app_metadata = Map::new();
    if !actor_id.is_empty() {
        app_metadata.insert(format!("{actor_type}_id"), json!(actor_id));
    }
    AuthClaims {
        actor_id: actor_id.to_owned(),
        actor_type: actor_type.to_owned(),
        auth_identity_id: identity.to_owned(),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata,
        user_metadata: Map::new(),
        iat: 1_767_323_045,
        exp: 1_767_323_045 + 3600,
    }
}

/// The password that [`login`] needs for whoever registered by the stage.
pub(crate) async fn good_login(server: &TestServer) -> Answer {
    login(server, EMAIL, PASSWORD).await
}

/// Asks for a link and reads its token out of the message.
pub(crate) async fn reset_token(server: &TestServer, key: &str, contact: &str) -> String {
    server.clear_inbox();
    let answer = server.post("/auth/customer/emailpass/reset-password", None, json!({key: contact})).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let inbox = server.state.http.inbox.clone().unwrap();
    let in_link = regex::Regex::new(r"token=(eyJ[A-Za-z0-9_.-]+)").unwrap();
    for _ in 0..2000 {
        if let Some(message) = inbox.messages().iter().find(|message| message.to == contact) {
            let text = serde_json::to_string(message).unwrap();
            return in_link.captures(&text).unwrap_or_else(|| panic!("no link in {text}"))[1].to_owned();
        }
        server.app.shared.wake.messages.notify_one();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("no link came to {contact}");
}

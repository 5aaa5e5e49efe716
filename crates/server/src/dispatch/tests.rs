//! The order of checks, the gates, CORS and the shape of answers, through the whole router.

mod server;

use serde_json::json;

use self::server::Server;
use super::encode_path;
use crate::session;

const KEY: (&str, &str) = ("x-publishable-api-key", "pk_good");
const NO_KEY: &str = r#"{"type":"not_allowed","message":"Publishable API key required in the request header: x-publishable-api-key. You can manage your keys in settings in the dashboard."}"#;
const BAD_KEY: &str =
    r#"{"type":"not_allowed","message":"A valid publishable key is required to proceed with the request"}"#;
const UNAUTHORIZED: &str = r#"{"message":"Unauthorized"}"#;
const PENDING_DELETION: &str = r#"{"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":null}"#;

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

/// A browser that still sends a cookie of before a password reset must not be locked out of its new login.
#[tokio::test]
async fn a_session_that_is_over_does_not_hide_a_good_bearer_token() {
    let server = Server::start().await;
    let over = ("cookie", server.cookie("customer", "cus_gone"));
    for (line, id) in [("GET /store/customers/me", "cus_1"), ("POST /store/customers", "")] {
        let bearer = ("authorization", server.bearer("customer", id));
        let alone = server.send(line, &[KEY, (over.0, &over.1)], "").await;
        assert_eq!(alone.status, 401, "{line}: {}", alone.body);
        let both = server.send(line, &[KEY, (over.0, &over.1), (bearer.0, &bearer.1)], "").await;
        assert_eq!(both.status, 200, "{line}: {}", both.body);
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
        ("gone user", bearer("user", "user_gone"), [200, 200, 401, 401, 401, 200, 200, 401]),
        ("admin session", cookie("user", "user_1"), [401, 401, 200, 401, 401, 200, 200, 200]),
        ("gone user's session", cookie("user", "user_gone"), [401, 401, 200, 401, 401, 200, 200, 401]),
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

/// A storefront with a stale token can still ask for a code.
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

/// Where the workflow looks up whom a bearer token names, and refuses before it comes to that, an account that is about to be deleted is
/// told so all the same; and a look that fails is a fault.
#[tokio::test]
async fn what_a_workflow_refuses_is_told_after_what_the_gate_would_have() {
    let server = Server::start_without_keys().await;
    for (actor, status) in [("cus_1", 400), ("", 400), ("cus_gone", 400), ("cus_pending", 403), ("cus_fault", 500)] {
        let bearer = server.bearer("customer", actor);
        let answered = server.send("POST /store/customers/otp/verify", &[("authorization", &bearer)], "").await;
        assert_eq!(answered.status, status, "{actor}");
    }
    let by_session = server.cookie("customer", "cus_pending");
    let answered = server.send("POST /store/customers/otp/verify", &[("cookie", &by_session)], "").await;
    assert_eq!(answered.body, PENDING_DELETION);
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

/// Somebody else's page cannot act for whoever is logged in.
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

/// A cookie kept too long, or made up, opens nothing.
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

/// A shop whose origin is left out cannot even read why it was refused.
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

/// A browser sends no key with a preflight.
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

/// Caches and whoever reads the log depend on these headers.
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

/// What a handler reads is what Medusa would have read.
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

/// The path in a 404 is shown as Medusa shows it, and breaks out of nothing.
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

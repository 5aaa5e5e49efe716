//! No token passes for one of another kind: every kind against every route that takes a token in its body or as a link's. What gates
//! say to each is in [`crate::gates`].

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::keys::Keys;
use cr_core::modules::auth::token::{self, OtpKind, OtpToken, ResetClaims};
use cr_core::modules::customer::undo::{Channel, Undo};
use cr_core::workflows::create_api_key::ApiKeyType;
use cr_server::routes::{Gate, Limiter, TABLE};
use cr_types::ids::{CustomerId, OtpId};
use cr_types::timestamp::Timestamp;
use http::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::gates::{ADMIN, CUSTOMER, FOREIGN_CUSTOMER, NOBODY, REGISTRATION, RESET, Verdicts, WITHOUT_IDENTITY};
use crate::stage::{EMAIL, PHONE, claims, claims_of, prove, request, schedule_deletion, stage, verified};
use crate::support::TestServer;

/// The secret that [`crate::support::DEVELOPMENT`] signs with.
pub(crate) const SECRET: &str = "a test's jwt secret of thirty-two bytes or more";
/// The guard's refusal.
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;

/// The routes that take a code with its token, and the kind that is theirs.
const TAKE_CODES: [(&str, &str); 4] = [
    ("/store/customers/otp/verify", "verify"),
    ("/store/customers/me/contact/verify", "contact_change"),
    ("/store/customers/account-deletion/confirm", "deletion"),
    ("/store/customers/account-deletion/cancel-confirm", "cancellation"),
];

/// The other rows that anybody may call with a token in the body or as bearer, each looked at by itself.
const TAKE_OTHERS: [&str; 3] =
    ["/auth/session", "/auth/{actor_type}/{auth_provider}/update", "/store/customers/contact/undo"];
/// The rows that anybody may call and that take no token, or none that they need.
const TAKE_NONE: [&str; 8] = [
    "/auth/{actor_type}/{auth_provider}",
    "/auth/{actor_type}/{auth_provider}/callback",
    "/auth/{actor_type}/{auth_provider}/register",
    "/auth/{actor_type}/{auth_provider}/reset-password",
    "/store/customers/otp/send",
    "/store/customers/account-deletion/cancel-request",
    "/health",
    "/health/ready",
];

/// A token by its name, and what the gates say to it.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) verdicts: Verdicts,
}

/// A JWT of any algorithm over any claims.
pub(crate) fn signed(algorithm: &str, secret: &str, claims: &Value) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT"});
    let content =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let method = match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return format!("{content}."),
    };
    let signature = hmac::sign(&hmac::Key::new(method, secret.as_bytes()), content.as_bytes());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A good token's claims with one of them another.
pub(crate) fn with(claims: &Value, key: &str, value: Value) -> Value {
    let mut changed = claims.clone();
    changed[key] = value;
    changed
}

/// A good token's claims without one of them.
fn without(claims: &Value, key: &str) -> Value {
    let mut changed = claims.clone();
    changed.as_object_mut().unwrap().shift_remove(key);
    changed
}

/// All kinds of token that this server or somebody else might make.
pub(crate) async fn kinds(server: &TestServer) -> Vec<Kind> {
    let known = verified(server).await;
    let pending = server.register("pending@example.com").await;
    cr_core::workflows::create_user::run(&server.app, "admin@example.com", "Tr0ub4dor&3x".to_owned().into())
        .await
        .unwrap();
    let body = json!({"email": "admin@example.com", "password": "Tr0ub4dor&3x"});
    let admin = server.post("/auth/user/emailpass", None, body).await.field("/token");
    let session = server.post("/auth/session", Some(&known.login), json!({})).await;
    let cookie = session.headers["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().trim_start_matches("cr.sid=").to_owned();
    let keys = &server.app.shared.keys;
    let good = claims(&known.login);
    let (iat, exp) = (good["iat"].as_i64().unwrap(), good["exp"].as_i64().unwrap());
    let reset = ResetClaims {
        entity_id: EMAIL.to_owned(),
        provider: "emailpass".to_owned(),
        actor_type: "customer".to_owned(),
        jti: Some("1".to_owned()),
        iat,
        exp,
    };
    let foreign = Keys::new(
        &[SecretString::from("somebody else's secret of thirty-two bytes or more")],
        &SecretString::from("somebody else's cookie secret of thirty-two bytes"),
    );
    let nobody = |text: String, name| Kind { name, text, verdicts: NOBODY };
    let mut kinds = vec![
        Kind { name: "login", text: known.login.clone(), verdicts: CUSTOMER },
        Kind { name: "registration", text: pending, verdicts: REGISTRATION },
        Kind { name: "admin", text: admin, verdicts: ADMIN },
        Kind { name: "the same login, signed by hand", text: signed("HS256", SECRET, &good), verdicts: CUSTOMER },
        nobody(String::new(), "empty"),
        nobody("eyJhbGciOiJIUzI1NiJ9".to_owned(), "a header alone"),
        Kind { name: "reset", text: token::issue_reset(keys, &reset), verdicts: RESET },
        nobody(cookie, "session cookie value"),
        nobody(
            token::issue(&foreign, &claims_of("customer", &known.id, good["auth_identity_id"].as_str().unwrap())),
            "other secret",
        ),
        nobody(signed("none", SECRET, &good), "none"),
        nobody(signed("None", SECRET, &good), "None"),
        nobody(signed("HS384", SECRET, &good), "HS384"),
        nobody(signed("HS512", SECRET, &good), "HS512"),
        nobody(signed("HS256", SECRET, &with(&good, "exp", json!(iat))), "expired this second"),
        nobody(signed("HS256", SECRET, &without(&good, "exp")), "without exp"),
        nobody(signed("HS256", SECRET, &with(&good, "nbf", json!(iat + 60))), "not yet valid"),
        nobody(signed("HS256", SECRET, &without(&good, "actor_type")), "without actor type"),
        nobody(signed("HS256", SECRET, &with(&good, "purpose", json!("reset"))), "a login that says reset"),
        nobody(signed("HS256", SECRET, &json!("text")), "no object"),
    ];
    for kind in OtpKind::ALL {
        let otp = OtpToken {
            id: OtpId::from_stored("otp_00000000000000000000000000"),
            kind,
            exp: Timestamp::from_seconds(exp).unwrap(),
        };
        kinds.push(nobody(token::issue_otp(keys, &otp), kind.as_str()));
    }
    let nothing = Channel { value: None, proven: false, entity_id: None };
    let customer_id = CustomerId::from_stored("cus_00000000000000000000000000");
    let cx = server.app.begin_read().await.unwrap();
    let undo = Undo { customer_id, changed_at: cx.now.millis(), email: nothing.clone(), phone: nothing };
    kinds.push(nobody(undo.seal(&cx).unwrap(), "undo"));
    let key = cr_core::workflows::create_api_key::run(&server.app, ApiKeyType::Secret, "Shop").await.unwrap();
    kinds.push(nobody(key, "secret API key"));
    // Somebody else's customer under the own identity, and the own customer under an identity that is not.
    for (name, claims, verdicts) in [
        ("customer that is not", with(&good, "actor_id", json!("cus_00000000000000000000000000")), FOREIGN_CUSTOMER),
        (
            "identity that is not",
            with(&good, "auth_identity_id", json!("authid_00000000000000000000000000")),
            WITHOUT_IDENTITY,
        ),
    ] {
        kinds.push(Kind { name, text: signed("HS256", SECRET, &claims), verdicts });
    }
    kinds
}

cr_testkit::both! {
    /// A leaked token of one kind must not open what another kind opens.
    async fn no_kind_passes_for_another(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let kinds = kinds(&server).await;
        for kind in &kinds {
            let wrong = server
                .post("/auth/customer/emailpass/update", Some(&kind.text), json!({"email": EMAIL, "password": "N3w-and-better"}))
                .await;
            assert_eq!(
                format!("{} {}", wrong.status.as_u16(), wrong.text),
                r#"401 {"type":"unauthorized","message":"Invalid token"}"#,
                "{} at update", kind.name
            );
            for (path, own) in TAKE_CODES {
                let expected = if kind.name == own {
                    r#"400 {"type":"invalid_data","message":"OTP is no longer valid"}"#
                } else {
                    r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#
                };
                let bearer = (path == "/store/customers/me/contact/verify").then_some(kinds[0].text.as_str());
                let guess = server.post(path, bearer, json!({"token": kind.text, "code": "123456"})).await;
                assert_eq!(format!("{} {}", guess.status.as_u16(), guess.text), expected, "{} as a code's token at {path}", kind.name);
            }
            let undo = server.post("/store/customers/contact/undo", None, json!({"token": kind.text})).await;
            let expected = if kind.name == "undo" {
                r#"400 {"type":"not_allowed","message":"This change cannot be undone any more"}"#
            } else {
                r#"401 {"type":"unauthorized","message":"Invalid or expired token"}"#
            };
            assert_eq!(format!("{} {}", undo.status.as_u16(), undo.text), expected, "{} as an undo token", kind.name);
        }
        server.stop().await;
    }

    /// A code that was read out of a mail or off a telephone works for what its message says and for nothing else.
    async fn a_live_code_opens_no_other_door(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let known = verified(&server).await;
        let login = Some(known.login.as_str());
        let (changing, _) = server.customer("carol@example.com", "+15550000003").await;
        let changing = prove(&server, &changing, "email_verification", "carol@example.com").await.field("/token");
        let changing = Some(changing.as_str());
        let (leaving, id) = server.customer("dan@example.com", "+15550000004").await;
        prove(&server, &leaving, "email_verification", "dan@example.com").await;
        schedule_deletion(&database, &id).await;
        server.clear_inbox();
        let mut codes = Vec::new();
        for (kind, path, bearer, body, to) in [
            ("verify", "/store/customers/otp/send", login, json!({"type": "phone_verification", "phone": PHONE}), PHONE),
            ("contact_change", "/store/customers/me/contact", changing, json!({"phone": "+15550000005"}), "+15550000005"),
            ("cancellation", "/store/customers/account-deletion/cancel-request", None, json!({"email": "dan@example.com"}), "dan@example.com"),
            ("deletion", "/store/customers/account-deletion/request", login, json!({}), EMAIL),
        ] {
            let token = server.post(path, bearer, body).await.field("/token");
            codes.push((kind, token, server.code_to(to).await));
        }
        let bring = async |path: &str, token: &str, code: &str| {
            let bearer = if path == "/store/customers/me/contact/verify" { changing } else { None };
            let answer = server.post(path, bearer, json!({"token": token, "code": code})).await;
            (answer.status.as_u16(), answer.text)
        };
        for (kind, token, code) in &codes {
            for (path, own) in TAKE_CODES.iter().filter(|(_, own)| own != kind) {
                let (status, text) = bring(path, token, code).await;
                assert_eq!(status, 401, "{kind} at {path}, which takes {own}: {text}");
            }
        }
        // None of that used anything up. The deletion comes last, since it ends the session.
        for (kind, token, code) in &codes {
            let (path, _) = TAKE_CODES.iter().find(|(_, own)| own == kind).unwrap();
            let (status, text) = bring(path, token, code).await;
            assert_eq!(status, 200, "{kind} at {path}: {text}");
        }
        server.stop().await;
    }

    /// As a cookie a token opens nothing, and a cookie of another secret neither.
    async fn nothing_but_a_session_passes_as_a_cookie(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        for kind in kinds(&server).await.iter().filter(|kind| !kind.text.is_empty()) {
            let cookie = format!("cr.sid={}", kind.text);
            let me = server.raw(request(Method::GET, "/store/customers/me", &[("cookie", &cookie)], None)).await;
            let told = format!("{} {}", me.status.as_u16(), me.text);
            if kind.name == "session cookie value" {
                assert_eq!(me.status.as_u16(), 200, "{told}");
            } else {
                assert_eq!(told, OUT, "{}", kind.name);
            }
        }
        server.stop().await;
    }

    /// Bearer words and blanks as Medusa reads them.
    async fn a_bearer_header_is_read_as_medusa_reads_it(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let login = verified(&server).await.login;
        for (header, status) in [
            (format!("Bearer {login}"), 200),
            (format!("bearer   {login}"), 200),
            (format!("BEARER {login} more"), 200),
            (format!("x Bearer {login}"), 401),
            (login.clone(), 401),
            (format!("Basic {login}"), 401),
            ("Bearer".to_owned(), 401),
        ] {
            let answer = server.raw(request(Method::GET, "/store/customers/me", &[("authorization", &header)], None)).await;
            assert_eq!(answer.status.as_u16(), status, "{header}");
        }
        server.stop().await;
    }
}

/// A row that is new in the table says here which kind of token it takes, or nobody tries the others at it.
#[test]
fn every_row_without_a_gate_is_known() {
    for route in
        TABLE.iter().filter(|route| matches!(route.gate, Gate::Public | Gate::OptionalCustomer | Gate::BearerActor))
    {
        let takes_code = TAKE_CODES.iter().any(|(path, _)| *path == route.path);
        let lists = [takes_code, TAKE_OTHERS.contains(&route.path), TAKE_NONE.contains(&route.path)];
        assert_eq!(
            lists.iter().filter(|is_in| **is_in).count(),
            1,
            "{} {} must be in one list",
            route.method,
            route.path
        );
    }
    for route in TABLE {
        let counts_guesses = route.limiters.contains(&Limiter::MaxAttempts);
        assert_eq!(TAKE_CODES.iter().any(|(path, _)| *path == route.path), counts_guesses, "{}", route.path);
    }
}

//! What the hot paths cost, in instructions, each once and without a neighbour: `cargo xtask instructions` runs each case under Callgrind
//! and holds the counts against `instructions.json` beside this file. Without an argument the program lists its cases, with one it
//! runs that case.
//!
//! What a case needs is made before the counting begins, and what is left is dropped after it. Time stands still and no case
//! draws anything by chance but the nonce of what is sealed, so two runs differ by that and by the seeds of the standard library's hash maps. A whole request is no case: what the
//! runtime does meanwhile differs by a third from run to run.

#![cfg(test)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint::black_box;

use cr_core::delivery::message::MessageKind;
use cr_core::delivery::template::{EMAIL, Templates};
use cr_core::identifiers::{Email, PhoneNumber};
use cr_core::keys::{Keys, Seal};
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::modules::customer::Customer;
use cr_core::workflows::retrieve_customer::Retrieved;
use cr_server::fields::Projection;
use cr_server::respond::Reply;
use cr_server::{query, session};
use cr_testkit::START;
use cr_types::http::CustomerBody;
use cr_types::ids::CustomerId;
use cr_types::timestamp::Timestamp;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, json};

/// The moment at which everything happens.
fn now() -> Timestamp {
    START.parse().unwrap()
}

/// Keys of some secrets.
fn keys() -> Keys {
    Keys::warm_up();
    let jwt = "a test's jwt secret of thirty-two bytes or more".into();
    Keys::new(&[jwt], &"a test's cookie secret of thirty-two bytes or more".into())
}

/// What a login token says.
fn claims() -> AuthClaims {
    AuthClaims {
        actor_id: "cus_01KDYJ4W3E0000000000000001".to_owned(),
        actor_type: "customer".to_owned(),
        auth_identity_id: "authid_01KDYJ4W3E0000000000000001".to_owned(),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: Map::from_iter([("customer_id".to_owned(), json!("cus_01KDYJ4W3E0000000000000001"))]),
        user_metadata: Map::new(),
        iat: now().seconds(),
        exp: now().seconds() + 86_400,
    }
}

/// A login token.
fn login_token() -> String {
    token::issue(&keys(), &claims())
}

/// The headers of a browser with a session.
fn cookies() -> HeaderMap {
    let plain = serde_json::to_vec(&claims()).unwrap();
    let sealed = keys().seal(Seal::Session, session::COOKIE, &plain);
    let cookie = HeaderValue::from_str(&format!("cart=1; {}={sealed}", session::COOKIE)).unwrap();
    HeaderMap::from_iter([(header::COOKIE, cookie)])
}

/// A customer with everything but addresses.
fn customer() -> Customer {
    Customer {
        id: CustomerId::from_stored(claims().actor_id),
        company_name: None,
        first_name: Some("Alice".to_owned()),
        last_name: Some("Example".to_owned()),
        email: Some("alice@example.com".to_owned()),
        phone: Some("+15551234567".to_owned()),
        has_account: true,
        metadata: Some(json!({"size": "L", "newsletter": true})),
        email_flag: true,
        phone_flag: false,
        created_at: now(),
        updated_at: now(),
        deleted_at: None,
        email_proof: Some("alice@example.com".to_owned()),
        phone_proof: None,
    }
}

/// The mail with a code, and what it says.
fn mail() -> (Templates, BTreeMap<&'static str, String>) {
    let templates = Templates::load(&cr_testkit::application::options()).unwrap();
    let given = BTreeMap::from([("otp", "123456".to_owned()), ("customer_name", "Alice".to_owned())]);
    let variables = Templates::complete(MessageKind::EmailVerification, given, Some(now()));
    (templates, variables)
}

/// What is counted, and nothing else. Callgrind finds it by its name, which `xtask/src/instructions.rs` knows.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// A case: its name, and what it does.
type Case = (&'static str, fn());

/// Every case.
const CASES: [Case; 11] = [
    ("read_token", read_token),
    ("issue_token", issue_token),
    ("read_session", read_session),
    ("check_code", check_code),
    ("seal_message", seal_message),
    ("open_message", open_message),
    ("read_email", read_email),
    ("read_phones", read_phones),
    ("read_fields", read_fields),
    ("render_mail", render_mail),
    ("write_customer", write_customer),
];

/// The signature and the claims of a bearer token, after the rules that all are read by were made.
fn read_token() {
    let (keys, token) = (keys(), login_token());
    assert!(token::read_auth(&keys, &token, now()).is_some());
    assert!(measured(|| token::read_auth(&keys, black_box(&token), now())).is_some());
}

/// What a login ends with.
fn issue_token() {
    let (keys, claims) = (keys(), claims());
    assert!(measured(|| token::issue(&keys, black_box(&claims))).starts_with("eyJ"));
}

/// The cookie among others, opened.
fn read_session() {
    let (keys, headers) = (keys(), cookies());
    assert!(measured(|| session::read(&keys, black_box(&headers), now())).is_some());
}

/// A code that came back, against the hash of it.
fn check_code() {
    let keys = keys();
    let stored = keys.code_hmac("otp_01KDYJ4W3E0000000000000001", "123456");
    assert!(measured(|| keys.code_matches("otp_01KDYJ4W3E0000000000000001", black_box("123456"), &stored)));
}

/// What the outbox keeps of a mail.
fn message() -> Vec<u8> {
    serde_json::to_vec(&json!({"to": "alice@example.com", "text": "Your code is 123456. ".repeat(100)})).unwrap()
}

/// A mail, sealed for the outbox.
fn seal_message() {
    let (keys, plain) = (keys(), message());
    // The first nonce starts the generator.
    assert!(!keys.seal(Seal::Outbox, "outbox_1", &plain).is_empty());
    assert!(!measured(|| keys.seal(Seal::Outbox, "outbox_1", black_box(&plain))).is_empty());
}

/// The same, opened for its delivery.
fn open_message() {
    let (keys, plain) = (keys(), message());
    let sealed = keys.seal(Seal::Outbox, "outbox_1", &plain);
    assert_eq!(measured(|| keys.open(Seal::Outbox, "outbox_1", black_box(&sealed))), Some(plain));
}

/// An e-mail as somebody types it.
fn read_email() {
    assert!(measured(|| Email::parse(black_box("Alice.Example+shop@Example.com"))).is_some());
}

/// Numbers as somebody types them, with a calling code and without, after what is known of all numbers was read.
fn read_phones() {
    let read = |text| PhoneNumber::parse(black_box(text), Some("DE"));
    assert!(read("+4930123456").is_some());
    assert!(measured(|| read("+49 30 123456") == read("030 123456")));
}

/// A query string with `?fields=`.
fn read_fields() {
    let text = "fields=id,email,%2Bmetadata,*addresses,-phone";
    assert!(measured(|| Projection::from_query(&query::parse(black_box(text)))).is_ok());
}

/// Subject, HTML and text.
fn render_mail() {
    let (templates, variables) = mail();
    let mail = measured(|| templates.render(MessageKind::EmailVerification, EMAIL, black_box(&variables))).unwrap();
    assert!(mail.text.contains("123456"));
}

/// A customer as the body of an answer.
fn write_customer() {
    let customer = customer();
    let reply = measured(|| {
        let retrieved = Retrieved { customer: Cow::Borrowed(black_box(&customer)), addresses: &[] };
        Reply::json(&CustomerBody { customer: Projection::default().show(&retrieved), verifications: None })
    });
    assert!(reply.is_ok());
}

/// Lists the cases, or runs the one that is named.
fn main() {
    let named = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    match named {
        None => CASES.iter().for_each(|(name, _)| println!("{name}")),
        Some(wanted) => CASES.iter().find(|(name, _)| *name == wanted).expect("no such case").1(),
    }
}

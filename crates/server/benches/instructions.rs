//! What the hot paths cost, in instructions, each once and without a neighbour: gungraun runs each case under Callgrind, and
//! `cargo xtask instructions` holds the counts against `instructions.json` beside this file.
//!
//! What a case needs is made before the counting begins, and what is left is looked at and dropped after it. Time stands still and no
//! case draws anything by chance but the nonce of what is sealed, so two runs differ by that and by the seeds of the standard library's
//! hash maps. A whole request is no case: what the runtime does meanwhile differs by a third from run to run.

#![cfg(test)]
#![expect(missing_docs, reason = "gungraun makes a public module of each case")]
#![expect(clippy::needless_pass_by_value, reason = "what a case has made is given to who looks at it")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use cr_core::delivery::message::MessageKind;
use cr_core::delivery::template::{EMAIL, Rendered, Templates};
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
use gungraun::{Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, json};

/// The moment at which everything happens.
fn now() -> Timestamp {
    START.parse().unwrap()
}

/// What a case is given: made before the counting begins, and never dropped, which would be counted.
fn given<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
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

/// Keys, and a login token that they signed; read once, which makes the rules that all are read by.
fn login() -> &'static (Keys, String) {
    let keys = keys();
    let token = token::issue(&keys, &claims());
    assert!(token::read_auth(&keys, &token, now()).is_some());
    given((keys, token))
}

/// Keys, and what the token of a login says.
fn identity() -> &'static (Keys, AuthClaims) {
    given((keys(), claims()))
}

/// Keys, and the headers of a browser with a session.
fn browser() -> &'static (Keys, HeaderMap) {
    let keys = keys();
    let plain = serde_json::to_vec(&claims()).unwrap();
    let sealed = keys.seal(Seal::Session, session::COOKIE, &plain);
    let cookie = HeaderValue::from_str(&format!("cart=1; {}={sealed}", session::COOKIE)).unwrap();
    given((keys, HeaderMap::from_iter([(header::COOKIE, cookie)])))
}

/// Where a code is asked for.
const CODE_ID: &str = "otp_01KDYJ4W3E0000000000000001";

/// Keys, a code as somebody types it, and the hash that is kept of it.
fn code() -> &'static (Keys, String, String) {
    let keys = keys();
    let stored = keys.code_hmac(CODE_ID, "123456");
    given((keys, "123456".to_owned(), stored))
}

/// Keys that have drawn a nonce, since the first starts the generator, and what the outbox keeps of a mail.
fn message() -> &'static (Keys, Vec<u8>) {
    let keys = keys();
    let plain =
        serde_json::to_vec(&json!({"to": "alice@example.com", "text": "Your code is 123456. ".repeat(100)})).unwrap();
    assert!(!keys.seal(Seal::Outbox, "outbox_1", &plain).is_empty());
    given((keys, plain))
}

/// The same, sealed.
fn sealed_message() -> &'static (Keys, String) {
    let (keys, plain) = message();
    given((self::keys(), keys.seal(Seal::Outbox, "outbox_1", plain)))
}

/// Numbers with a calling code and without, after what is known of all numbers was read.
fn numbers() -> [&'static str; 2] {
    assert!(PhoneNumber::parse("+4930123456", Some("DE")).is_some());
    ["+49 30 123456", "030 123456"]
}

/// A customer with everything but addresses.
fn customer() -> &'static Customer {
    given(Customer {
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
    })
}

/// The templates, and what the mail with a code says.
fn mail() -> &'static (Templates, BTreeMap<&'static str, String>) {
    let templates = Templates::load(&cr_testkit::application::options()).unwrap();
    let values = BTreeMap::from([("otp", "123456".to_owned()), ("customer_name", "Alice".to_owned())]);
    let variables = Templates::complete(MessageKind::EmailVerification, values, Some(now()));
    given((templates, variables))
}

/// Reads both. Apart, since the counting would end where a closure in a case begins.
#[inline(never)]
fn are_one_number([first, second]: [&str; 2]) -> bool {
    let read = |text| PhoneNumber::parse(text, Some("DE"));
    read(first) == read(second)
}

/// What was read or written is there.
fn is_there<T>(found: Option<T>) {
    assert!(found.is_some());
}

/// What was written says something.
fn is_written(text: String) {
    assert!(!text.is_empty());
}

/// What was asked is so.
fn is_so(answer: bool) {
    assert!(answer);
}

// The signature and the claims of a bearer token.
#[library_benchmark(setup = login, teardown = is_there)]
fn read_token((keys, token): &(Keys, String)) -> Option<AuthClaims> {
    token::read_auth(keys, token, now())
}

// What a login ends with.
#[library_benchmark(setup = identity, teardown = is_written)]
fn issue_token((keys, claims): &(Keys, AuthClaims)) -> String {
    token::issue(keys, claims)
}

// The cookie among others, opened.
#[library_benchmark(setup = browser, teardown = is_there)]
fn read_session((keys, headers): &(Keys, HeaderMap)) -> Option<AuthClaims> {
    session::read(keys, headers, now())
}

// A code that came back, against the hash of it.
#[library_benchmark(setup = code, teardown = is_so)]
fn check_code((keys, code, stored): &(Keys, String, String)) -> bool {
    keys.code_matches(CODE_ID, code, stored)
}

// A mail, sealed for the outbox.
#[library_benchmark(setup = message, teardown = is_written)]
fn seal_message((keys, plain): &(Keys, Vec<u8>)) -> String {
    keys.seal(Seal::Outbox, "outbox_1", plain)
}

// The same, opened for its delivery.
#[library_benchmark(setup = sealed_message, teardown = is_there)]
fn open_message((keys, sealed): &(Keys, String)) -> Option<Vec<u8>> {
    keys.open(Seal::Outbox, "outbox_1", sealed)
}

// An e-mail as somebody types it.
#[library_benchmark(teardown = is_there)]
#[bench::typed("Alice.Example+shop@Example.com")]
fn read_email(text: &str) -> Option<Email> {
    Email::parse(text)
}

// Numbers as somebody types them.
#[library_benchmark(setup = numbers, teardown = is_so)]
fn read_phones(texts: [&str; 2]) -> bool {
    are_one_number(texts)
}

// A query string with `?fields=`.
#[library_benchmark(teardown = is_there)]
#[bench::asked("fields=id,email,%2Bmetadata,*addresses,-phone")]
fn read_fields(text: &str) -> Option<Projection> {
    Projection::from_query(&query::parse(text)).ok()
}

// Subject, HTML and text.
#[library_benchmark(setup = mail, teardown = is_there)]
fn render_mail((templates, variables): &(Templates, BTreeMap<&'static str, String>)) -> Option<Rendered> {
    templates.render(MessageKind::EmailVerification, EMAIL, variables).ok()
}

// A customer as the body of an answer.
#[library_benchmark(setup = customer, teardown = is_there)]
fn write_customer(customer: &Customer) -> Option<Reply> {
    let retrieved = Retrieved { customer: Cow::Borrowed(customer), addresses: &[] };
    Reply::json(&CustomerBody { customer: Projection::default().show(&retrieved), verifications: None }).ok()
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [
        read_token,
        issue_token,
        read_session,
        check_code,
        seal_message,
        open_message,
        read_email,
        read_phones,
        read_fields,
        render_mail,
        write_customer,
    ]
);

// Without a simulated cache, which nothing here is held against.
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = hot_paths
);

//! Somebody has stolen the whole database, and nothing else: no secret of the configuration.
//!
//! Everything that opens something is on its way while it is stolen: a session, codes of every kind, a link to reset a password, a
//! link that takes a change of contact back. The thief knows how all of it is made, and tries each text of the dump as a key.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::keys::Seal;
use cr_testkit::{Frozen, TestDatabase};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::people::{leave, log_in, prove, register};
use crate::shop::{CANCEL, CANCEL_CONFIRM, CONTACT, CONTACT_VERIFY, HOME, RESET, SEND, Shop, VERIFY};
use crate::support::{Answer, CHEAP, PASSWORD, exchange};

const EMAIL: &str = "alice@example.com";
const PHONE: &str = "+15551234567";
const UNDO: &str = "/store/customers/contact/undo";
const REFRESH: &str = "/auth/token/refresh";
const UPDATE: &str = "/auth/customer/emailpass/update";
/// Seconds that the thief's tokens would live.
const LONG: i64 = 3600;

/// What was sent, which only its receivers and the server's secrets can read.
struct OnTheWay {
    /// Codes.
    codes: Vec<String>,
    /// Tokens of links, and the token of a session.
    tokens: Vec<String>,
}

/// Three customers: one wants another e-mail and has a way back from the phone they changed, one resets a password, one is leaving.
async fn busy(shop: &Arc<Shop>, database: &TestDatabase) -> OnTheWay {
    let (_, id) = register(shop, database, EMAIL, PHONE).await;
    prove(database, &id, EMAIL, PHONE).await;
    let session = log_in(shop, EMAIL).await;
    let changed = ask(shop, CONTACT, Some(&session), json!({"phone": "+15557654321"})).await;
    let code = last_payload(shop, database, "sms").await["data"]["code"].as_str().unwrap().to_owned();
    let body = json!({"token": changed.field("/token"), "code": code});
    let verified = ask(shop, CONTACT_VERIFY, Some(&session), body).await;
    let session = verified.json().get("token").and_then(Value::as_str).map_or(session, ToOwned::to_owned);
    ask(shop, CONTACT, Some(&session), json!({"email": "new@example.com"})).await;
    ask(shop, RESET, None, json!({"email": EMAIL})).await;

    let (registration, id) = register(shop, database, "ben@example.com", "+15550001111").await;
    ask(shop, SEND, Some(&registration), json!({"type": "email_verification", "customer_id": id})).await;
    let (_, id) = register(shop, database, "cleo@example.com", "+15550002222").await;
    prove(database, &id, "cleo@example.com", "+15550002222").await;
    leave(database, &id).await;
    ask(shop, CANCEL, None, json!({"email": "cleo@example.com"})).await;

    let mut on_the_way = OnTheWay { codes: Vec::new(), tokens: vec![session] };
    for payload in payloads(shop, database, "email").await.into_iter().chain(payloads(shop, database, "sms").await) {
        for (key, value) in payload["data"].as_object().unwrap() {
            match (key.as_str(), value.as_str()) {
                ("code", Some(code)) => on_the_way.codes.push(code.to_owned()),
                (key, Some(url)) if key.ends_with("_url") => {
                    on_the_way
                        .tokens
                        .extend(url.split_once("token=").map(|(_, token)| token.split('&').next().unwrap().to_owned()));
                }
                _ => {}
            }
        }
    }
    on_the_way
}

/// A request from an address of its own, which goes well.
async fn ask(shop: &Shop, path: &str, bearer: Option<&str>, body: Value) -> Answer {
    let answer = shop.ask(HOME, path, bearer, &body).await;
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
    answer
}

/// What goes out on a channel, opened with the server's own keys, in its order.
async fn payloads(shop: &Shop, database: &TestDatabase, channel: &str) -> Vec<Value> {
    let rows =
        database.rows(&format!("select id, payload from cr_outbox where channel = '{channel}' order by id")).await;
    let keys = &shop.state().app.shared.keys;
    rows.iter()
        .map(|row| keys.open(Seal::Outbox, row["id"].as_str().unwrap(), row["payload"].as_str().unwrap()).unwrap())
        .map(|payload| serde_json::from_slice(&payload).unwrap())
        .collect()
}

/// The youngest of them.
async fn last_payload(shop: &Shop, database: &TestDatabase, channel: &str) -> Value {
    payloads(shop, database, channel).await.pop().unwrap()
}

/// Every text of a dump, those inside JSON too.
fn texts(dump: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in dump.lines().filter_map(|line| line.strip_prefix(' ')) {
        collect(&serde_json::from_str(line).unwrap(), &mut found);
    }
    found
}

/// The texts of a value.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                collect(&inner, found);
            }
            found.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(values) => values.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// HMAC-SHA256.
fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

/// The keys that a text may stand for.
fn keys_of(text: &str) -> Vec<Vec<u8>> {
    let mut keys = vec![text.as_bytes().to_vec()];
    keys.extend(URL_SAFE_NO_PAD.decode(text));
    keys
}

/// A JWT with HS256.
fn signed(key: &[u8], claims: &Value) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let content =
        format!("{}.{}", encode(json!({"alg": "HS256", "typ": "JWT"}).to_string()), encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(hmac(key, &content));
    format!("{content}.{signature}")
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A dump to work with, and who is in it.
struct Loot {
    texts: BTreeSet<String>,
    identity: String,
    customer: String,
    jti: String,
    otp_ids: Vec<String>,
}

impl Loot {
    /// Steals everything.
    async fn take(database: &TestDatabase) -> Self {
        let one = async |sql: &str| database.rows(sql).await[0]["it"].as_str().unwrap().to_owned();
        Self {
            texts: texts(&database.dump(&[]).await),
            identity: one(&format!("select auth_identity_id as it from provider_identity where entity_id = '{EMAIL}'"))
                .await,
            customer: one(&format!("select id as it from customer where email = '{EMAIL}'")).await,
            jti: one("select jti as it from cr_reset_token limit 1").await,
            otp_ids: database
                .rows("select id from otp_verification")
                .await
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned())
                .collect(),
        }
    }

    /// Tokens of every kind, made with a key.
    fn forge(&self, clock: &Frozen, key: &[u8]) -> Vec<(&'static str, String)> {
        use cr_core::env::Clock as _;
        let now = clock.now().seconds();
        let session = json!({
            "actor_id": self.customer, "actor_type": "customer", "auth_identity_id": self.identity,
            "app_metadata": {"customer_id": self.customer}, "iat": now + 60, "exp": now + LONG,
        });
        let reset = json!({
            "entity_id": EMAIL, "provider": "emailpass", "actor_type": "customer", "jti": self.jti, "purpose": "reset",
            "iat": now, "exp": now + LONG,
        });
        let mut forged = vec![("session", signed(key, &session)), ("reset", signed(key, &reset))];
        for id in &self.otp_ids {
            for kind in ["verify", "contact_change", "cancellation"] {
                forged.push((kind, signed(key, &json!({"id": id, "kind": kind, "exp": now + LONG}))));
            }
        }
        forged
    }
}

/// Whether a forged token opened something: whatever is no refusal of the token itself. Codes come right besides.
async fn opens(shop: &Shop, kind: &str, token: &str, code: &str) -> Option<String> {
    let with_code = json!({"token": token, "code": code});
    let answer = match kind {
        "session" => shop.ask(HOME, REFRESH, Some(token), &json!({})).await,
        "reset" => shop.ask(HOME, UPDATE, Some(token), &json!({"password": "C0rrect-horse-battery"})).await,
        "contact_change" => shop.ask(HOME, CONTACT_VERIFY, Some(token), &with_code).await,
        "cancellation" => shop.ask(HOME, CANCEL_CONFIRM, None, &with_code).await,
        "undo" => shop.ask(HOME, UNDO, None, &json!({"token": token})).await,
        _ => shop.ask(HOME, VERIFY, None, &with_code).await,
    };
    let is_refused = matches!(answer.status.as_u16(), 400 | 401) && !answer.text.contains("Invalid OTP code");
    (!is_refused).then(|| format!("{kind}: {} {}", answer.status, answer.text))
}

/// What a page with a session cookie is answered.
async fn with_cookie(shop: &Shop, cookie: &str) -> u16 {
    let request = Request::get("/store/customers/me").header("cookie", format!("cr.sid={cookie}"));
    let peer = SocketAddr::from(([198, 18, 0, 1], 4000));
    exchange(shop.state(), peer, request.body(Body::empty()).unwrap()).await.status.as_u16()
}

cr_testkit::both! {
    /// Nothing of what is on its way can be read in the dump, found out by trying, or made with what is in it.
    async fn a_stolen_database_opens_nothing(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let on_the_way = busy(&shop, &database).await;
        assert!(on_the_way.codes.len() >= 4 && on_the_way.tokens.len() >= 3, "{} codes", on_the_way.codes.len());
        let loot = Loot::take(&database).await;

        let in_the_clear = |secret: &str| loot.texts.iter().any(|text| text.split(|it: char| !it.is_ascii_alphanumeric()).any(|word| word == secret));
        for secret in &on_the_way.codes {
            assert!(!in_the_clear(secret), "a code is in the dump");
        }
        for secret in on_the_way.tokens.iter().map(String::as_str).chain([PASSWORD, "new@example.com"]) {
            assert!(!loot.texts.iter().any(|text| text.contains(secret)), "a token, a password or a wish is in the dump");
        }

        // Trying all codes finds the right one exactly when its hash can be made from the dump.
        let hashes: BTreeSet<String> = database.rows("select hashed_code from otp_verification").await.iter()
            .map(|row| row["hashed_code"].as_str().unwrap().to_owned()).collect();
        assert!(hashes.len() >= 4 && hashes.iter().all(|hash| loot.texts.contains(hash)));
        for code in &on_the_way.codes {
            for text in loot.texts.iter().map(String::as_str).chain([""]) {
                for key in keys_of(text) {
                    let around = [hmac(&key, code), hmac(code.as_bytes(), text), Sha256::digest([&key, code.as_bytes()].concat()).to_vec(), Sha256::digest([code.as_bytes(), &key].concat()).to_vec()];
                    assert!(around.iter().all(|made| !hashes.contains(&hex(made))), "a code's hash is made with {text}");
                    for id in &loot.otp_ids {
                        assert!(!hashes.contains(&hex(&hmac(&key, &format!("{id}{code}")))) && !hashes.contains(&hex(&hmac(&key, &format!("{id}:{code}")))));
                    }
                }
            }
        }

        let mut tried = 0;
        for text in loot.texts.iter().map(String::as_str).chain([""]) {
            for key in keys_of(text) {
                for (kind, token) in loot.forge(&shop.clock, &key) {
                    assert_eq!(opens(&shop, kind, &token, &on_the_way.codes[0]).await, None, "signed with {text}");
                    tried += 1;
                }
            }
            // Sealed things of one kind, given as another.
            assert_eq!(opens(&shop, "undo", text, "").await, None, "{text}");
            if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
                assert_eq!(with_cookie(&shop, text).await, 401, "{text}");
            }
            tried += 2;
        }
        println!("a stolen database, {} replicas: {} texts, {tried} forgeries, none taken", shop.replicas(), loot.texts.len());

        // The same doors open to what was on its way: it was the key that was missing.
        assert_eq!(opens(&shop, "session", &on_the_way.tokens[0], "").await.as_deref().map(|told| &told[..12]), Some("session: 200"));
    }
}

//! Somebody has stolen the whole database, and nothing else: no secret of the configuration.
//!
//! Everything that opens something is on its way while it is stolen: a session, codes of every kind, a link to reset a password, a
//! link that takes a change of contact back. The thief knows how all of it is made, and tries each text of the dump as a key.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::env::Clock as _;
use cr_core::keys::{Keys, Seal};
use cr_core::modules::auth::token::{self, AuthClaims, OtpKind, OtpToken, ResetClaims};
use cr_core::modules::customer::undo::{Channel, Undo};
use cr_testkit::{Frozen, TestDatabase};
use cr_types::ids::{CustomerId, OtpId};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::people::{leave, log_in, prove, register};
use crate::shop::{
    CANCEL, CANCEL_CONFIRM, CONTACT, CONTACT_VERIFY, DELETION, DELETION_CONFIRM, HOME, RESET, SEND, Shop, VERIFY,
};
use crate::support::{Answer, CHEAP, PASSWORD, exchange};

const EMAIL: &str = "alice@example.com";
const PHONE: &str = "+15551234567";
/// Who has asked for a link.
const FORGETFUL: &str = "dora@example.com";
const UNDO: &str = "/store/customers/contact/undo";
const REFRESH: &str = "/auth/token/refresh";
const UPDATE: &str = "/auth/customer/emailpass/update";
/// Seconds that the thief's tokens would live.
const LONG: i64 = 3600;

/// What was sent, which only its receivers and the server's secrets can read.
struct OnTheWay {
    /// Codes, by the id of their row.
    codes: BTreeMap<String, String>,
    /// Tokens of links, and the token of a session.
    tokens: Vec<String>,
}

/// Five customers: one wants another e-mail and has a way back from the phone they changed, one proves their e-mail, one comes back,
/// one resets a password, one wishes to leave.
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

    let (registration, id) = register(shop, database, "ben@example.com", "+15550001111").await;
    ask(shop, SEND, Some(&registration), json!({"type": "email_verification", "customer_id": id})).await;
    let (_, id) = register(shop, database, "cleo@example.com", "+15550002222").await;
    prove(database, &id, "cleo@example.com", "+15550002222").await;
    leave(database, &id).await;
    ask(shop, CANCEL, None, json!({"email": "cleo@example.com"})).await;
    let (_, id) = register(shop, database, FORGETFUL, "+15550003333").await;
    prove(database, &id, FORGETFUL, "+15550003333").await;
    ask(shop, RESET, None, json!({"email": FORGETFUL})).await;
    let (_, id) = register(shop, database, "erik@example.com", "+15550004444").await;
    prove(database, &id, "erik@example.com", "+15550004444").await;
    let leaving = log_in(shop, "erik@example.com").await;
    ask(shop, DELETION, Some(&leaving), json!({})).await;

    let mut on_the_way = OnTheWay { codes: BTreeMap::new(), tokens: vec![session] };
    let (emails, texts) = (payloads(shop, database, "email").await, payloads(shop, database, "sms").await);
    for (message, payload) in emails.into_iter().chain(texts) {
        for (key, value) in payload["data"].as_object().unwrap() {
            match (key.as_str(), value.as_str()) {
                ("code", Some(code)) => drop(on_the_way.codes.insert(message.clone(), code.to_owned())),
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

/// What goes out on a channel, opened with the server's own keys, in its order: the key of each message, which is the id of its code,
/// and its content.
async fn payloads(shop: &Shop, database: &TestDatabase, channel: &str) -> Vec<(String, Value)> {
    let columns = "id, idempotency_key, payload";
    let rows = database.rows(&format!("select {columns} from cr_outbox where channel = '{channel}' order by id")).await;
    let keys = &shop.state().app.shared.keys;
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| {
            let plain = keys.open(Seal::Outbox, &text(row, "id"), &text(row, "payload")).unwrap();
            (text(row, "idempotency_key"), serde_json::from_slice(&plain).unwrap())
        })
        .collect()
}

/// The youngest of them.
async fn last_payload(shop: &Shop, database: &TestDatabase, channel: &str) -> Value {
    payloads(shop, database, channel).await.pop().unwrap().1
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
    otps: Vec<(String, String)>,
}

impl Loot {
    /// Steals everything.
    async fn take(database: &TestDatabase) -> Self {
        let one = async |sql: &str| database.rows(sql).await[0]["it"].as_str().unwrap().to_owned();
        let otps = database.rows("select id, kind from otp_verification where verified_at is null").await;
        let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
        Self {
            texts: texts(&database.dump(&[]).await),
            identity: one(&format!("select auth_identity_id as it from provider_identity where entity_id = '{EMAIL}'"))
                .await,
            customer: one(&format!("select id as it from customer where email = '{EMAIL}'")).await,
            jti: one("select jti as it from cr_reset_token limit 1").await,
            otps: otps.iter().map(|row| (text(row, "id"), text(row, "kind"))).collect(),
        }
    }

    /// What the session of a customer says.
    fn session(&self, now: i64) -> AuthClaims {
        AuthClaims {
            actor_id: self.customer.clone(),
            actor_type: "customer".to_owned(),
            auth_identity_id: self.identity.clone(),
            auth_provider: Some("emailpass".to_owned()),
            mfa_enabled: false,
            mfa_challenge_completed_at: None,
            app_metadata: Map::from_iter([("customer_id".to_owned(), json!(self.customer))]),
            user_metadata: Map::new(),
            iat: now,
            exp: now + LONG,
        }
    }

    /// Something for every door, made as the server makes it, with these keys: what it is, itself, and the code's row where it takes
    /// one.
    fn forge(&self, clock: &Frozen, keys: &Keys) -> Vec<(&'static str, String, Option<&str>)> {
        let now = clock.now();
        let session = self.session(now.seconds());
        let cookie = keys.seal(Seal::Session, "cr.sid", &serde_json::to_vec(&session).unwrap());
        let mut forged = vec![("session", token::issue(keys, &session), None), ("cookie", cookie, None)];
        for (id, of_row) in &self.otps {
            for kind in OtpKind::ALL.into_iter().filter(|kind| kind.as_str() == of_row) {
                let exp = now.plus_seconds(LONG);
                let made = token::issue_otp(keys, &OtpToken { id: OtpId::from_stored(id.clone()), kind, exp });
                forged.push((kind.as_str(), made, Some(id.as_str())));
            }
        }
        let reset = ResetClaims {
            entity_id: FORGETFUL.to_owned(),
            provider: "emailpass".to_owned(),
            actor_type: "customer".to_owned(),
            jti: Some(self.jti.clone()),
            iat: now.seconds(),
            exp: now.seconds() + LONG,
        };
        forged.push(("reset", token::issue_reset(keys, &reset), None));
        let channel = |value: &str| Channel { value: Some(value.to_owned()), proven: false, entity_id: None };
        let undo = Undo {
            customer_id: CustomerId::from_stored(self.customer.clone()),
            changed_at: now.millis(),
            email: channel("mallory@example.com"),
            phone: channel("+15559998888"),
        };
        let undo = keys.seal(Seal::Undo, "undo_forged", &serde_json::to_vec(&undo).unwrap());
        forged.push(("undo", format!("undo_forged.{undo}"), None));
        forged
    }

    /// The two tokens that Medusa reads, signed with the bytes of a key.
    fn forge_medusas(&self, clock: &Frozen, key: &[u8]) -> [(&'static str, String); 2] {
        let now = clock.now().seconds();
        let reset = json!({
            "entity_id": FORGETFUL, "provider": "emailpass", "actor_type": "customer", "jti": self.jti, "purpose": "reset",
            "iat": now, "exp": now + LONG,
        });
        [("session", signed(key, &json!(self.session(now)))), ("reset", signed(key, &reset))]
    }
}

/// Shows something at its door, with the right code, and with the customer's own session where the door asks for one: what came of
/// it, unless it was refused itself.
async fn opens(shop: &Shop, session: &str, kind: &str, token: &str, code: &str) -> Option<String> {
    let with_code = json!({"token": token, "code": code});
    let answer = match kind {
        "cookie" => with_cookie(shop, token).await,
        "session" => shop.ask(HOME, REFRESH, Some(token), &json!({})).await,
        "reset" => {
            let body = json!({"email": FORGETFUL, "password": "C0rrect-horse-battery"});
            shop.ask(HOME, UPDATE, Some(token), &body).await
        }
        "verify" => shop.ask(HOME, VERIFY, None, &with_code).await,
        "contact_change" => shop.ask(HOME, CONTACT_VERIFY, Some(session), &with_code).await,
        "deletion" => shop.ask(HOME, DELETION_CONFIRM, None, &with_code).await,
        "cancellation" => shop.ask(HOME, CANCEL_CONFIRM, None, &with_code).await,
        "undo" => shop.ask(HOME, UNDO, None, &json!({"token": token})).await,
        other => panic!("{other} has no door"),
    };
    let is_refused = matches!(answer.status.as_u16(), 400 | 401) && !answer.text.contains("Invalid OTP code");
    (!is_refused).then(|| format!("{} {}", answer.status.as_u16(), answer.text))
}

/// What a page with a session cookie is answered.
async fn with_cookie(shop: &Shop, cookie: &str) -> Answer {
    let request = Request::get("/store/customers/me").header("cookie", format!("cr.sid={cookie}"));
    let peer = SocketAddr::from(([198, 18, 0, 1], 4000));
    exchange(shop.state(), peer, request.body(Body::empty()).unwrap()).await
}

cr_testkit::both! {
    /// Nothing of what is on its way can be read in the dump, found out by trying, or made with what is in it.
    async fn a_stolen_database_opens_nothing(database: TestDatabase) {
        let shop = Shop::open(&database, CHEAP).await;
        let on_the_way = busy(&shop, &database).await;
        assert!(on_the_way.codes.len() >= 5 && on_the_way.tokens.len() >= 3, "{} codes", on_the_way.codes.len());
        let session = &on_the_way.tokens[0];
        let loot = Loot::take(&database).await;

        let in_the_clear = |secret: &str| loot.texts.iter().any(|text| text.split(|it: char| !it.is_ascii_alphanumeric()).any(|word| word == secret));
        for secret in on_the_way.codes.values() {
            assert!(!in_the_clear(secret), "a code is in the dump");
        }
        for secret in on_the_way.tokens.iter().map(String::as_str).chain([PASSWORD, "new@example.com"]) {
            assert!(!loot.texts.iter().any(|text| text.contains(secret)), "a token, a password or a wish is in the dump");
        }

        // Trying all codes finds the right one exactly when its hash can be made from the dump.
        let hashes: BTreeSet<String> = database.rows("select hashed_code from otp_verification").await.iter()
            .map(|row| row["hashed_code"].as_str().unwrap().to_owned()).collect();
        assert!(hashes.len() >= 5 && hashes.iter().all(|hash| loot.texts.contains(hash)));
        let makes = |keys: &Keys| on_the_way.codes.iter().filter(|(id, code)| hashes.contains(&keys.code_hmac(id, code))).count();
        for text in loot.texts.iter().map(String::as_str).chain([""]) {
            assert_eq!(makes(&Keys::new(&[text.into()], &text.into())), 0, "a code's hash is made with {text}");
            for ((id, code), key) in on_the_way.codes.iter().flat_map(|it| keys_of(text).into_iter().map(move |key| (it, key))) {
                let around = [
                    hmac(&key, code), hmac(code.as_bytes(), text), hmac(&key, &format!("{id}{code}")), hmac(&key, &format!("{id}:{code}")),
                    Sha256::digest([&key, code.as_bytes()].concat()).to_vec(), Sha256::digest([code.as_bytes(), &key].concat()).to_vec(),
                ];
                assert!(around.iter().all(|made| !hashes.contains(&hex(made))), "a code's hash is made with {text}");
            }
        }

        let right = |id: Option<&str>| id.map_or("", |id| on_the_way.codes[id].as_str());
        let mut tried = 0;
        for text in loot.texts.iter().map(String::as_str).chain([""]) {
            for (kind, made, id) in loot.forge(&shop.clock, &Keys::new(&[text.into()], &text.into())) {
                assert_eq!(opens(&shop, session, kind, &made, right(id)).await, None, "{kind}, made with {text}");
                tried += 1;
            }
            for (kind, made) in keys_of(text).iter().flat_map(|key| loot.forge_medusas(&shop.clock, key)) {
                assert_eq!(opens(&shop, session, kind, &made, "").await, None, "{kind}, signed with {text}");
                tried += 1;
            }
            // Sealed things of one kind, given as another.
            assert_eq!(opens(&shop, session, "undo", text, "").await, None, "{text}");
            if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
                assert_eq!(opens(&shop, session, "cookie", text, "").await, None, "{text}");
            }
            tried += 2;
        }
        println!("a stolen database, {} replicas: {} texts, {tried} forgeries, none taken", shop.replicas(), loot.texts.len());

        // The thief's tools are good: with the server's own keys the same things open every door, so it was the key that was missing.
        let keys = &shop.state().app.shared.keys;
        assert_eq!(makes(keys), on_the_way.codes.len());
        let mut opened = BTreeSet::new();
        for (kind, made, id) in loot.forge(&shop.clock, keys) {
            let came = opens(&shop, session, kind, &made, right(id)).await.unwrap_or_default();
            assert!(came.starts_with("200 "), "{kind}: {came}");
            opened.insert(kind);
        }
        let doors = ["cancellation", "contact_change", "cookie", "deletion", "reset", "session", "undo", "verify"];
        assert!(opened.iter().copied().eq(doors), "{opened:?}");
    }
}

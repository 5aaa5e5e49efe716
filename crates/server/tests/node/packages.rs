//! Password hashes of `scrypt-kdf` and tokens of `jsonwebtoken`, in the versions that Medusa 2.11.2 takes, compared with ours.

use cr_core::keys::Keys;
use cr_core::modules::auth::token::{self, AuthClaims};
use cr_core::password::{Algorithm, HashParams, HashPool, Verdict};
use cr_types::timestamp::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// Signs and verifies on both sides.
const SECRET: &str = "a secret that both sides know, long enough";

/// Passwords that differ in what could go wrong: encoding, length, NUL-like escapes, white space.
const PASSWORDS: [&str; 5] =
    ["Secret123!", "пароль🔑", " blanks around ", "e\u{301}", "0123456789012345678901234567890123456789"];

/// Runs operations of `e2e/interop.mjs`; an answer each, in their order.
pub(crate) async fn node(operations: &[Value]) -> Vec<Value> {
    let operations = Value::from(operations).to_string();
    let printed = cr_testkit::node::run("interop.mjs", &[("OPERATIONS", operations.as_str())]).await;
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The threads as they are in production.
fn pool() -> HashPool {
    HashPool::new(64, Algorithm::Scrypt(HashParams::default()))
}

/// A shop that comes from Medusa would lock all its customers out.
#[tokio::test]
async fn hashes_made_by_scrypt_kdf_verify_here() {
    let operations = PASSWORDS.map(|password| json!({"operation": "hash", "password": password}));
    for (password, answer) in PASSWORDS.iter().zip(node(&operations).await) {
        let stored = answer["hash"].as_str().unwrap().to_owned();
        let verdict = pool().verify("", SecretString::from(*password), stored.clone()).await.unwrap();
        assert_eq!(verdict, Verdict::Match { needs_rehash: false }, "{password}");
        let verdict = pool().verify("", SecretString::from(format!("{password}x")), stored).await.unwrap();
        assert_eq!(verdict, Verdict::Mismatch, "{password}");
    }
}

/// A shop that goes back to Medusa, or uses both, would lock all its new customers out.
#[tokio::test]
async fn hashes_made_here_verify_in_scrypt_kdf() {
    let mut operations = Vec::new();
    for (number, password) in (0..).zip(PASSWORDS) {
        let hash = pool().hash("", SecretString::from(password), [number; 32]).await.unwrap();
        operations.push(json!({"operation": "verify_hash", "hash": hash, "password": password}));
        operations.push(json!({"operation": "verify_hash", "hash": hash, "password": format!("{password}x")}));
    }
    let answers = node(&operations).await;
    for (password, pair) in PASSWORDS.iter().zip(answers.chunks(2)) {
        assert_eq!(pair, [json!({"matches": true}), json!({"matches": false})], "{password}");
    }
}

/// Keys that know [`SECRET`].
fn keys() -> Keys {
    Keys::new(&[SecretString::from(SECRET)], &SecretString::from("another, for cookies, just as long"))
}

/// Now, in whole seconds, so that Node's clock and ours agree on what has expired.
fn now() -> Timestamp {
    let now = cr_core::env::Env::system().clock.now();
    Timestamp::from_seconds(now.seconds()).unwrap()
}

/// Claims of a customer's login.
fn claims(issued: i64, expires: i64) -> AuthClaims {
    AuthClaims {
        actor_id: "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        actor_type: "customer".to_owned(),
        auth_identity_id: "authid_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        auth_provider: Some("emailpass".to_owned()),
        mfa_enabled: false,
        mfa_challenge_completed_at: None,
        app_metadata: Map::from_iter([("customer_id".to_owned(), json!("cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"))]),
        user_metadata: Map::new(),
        iat: issued,
        exp: expires,
    }
}

/// Medusa would refuse everybody who logged in here.
#[tokio::test]
async fn tokens_signed_here_verify_in_jsonwebtoken() {
    let now = now().seconds();
    let signed = token::issue(&keys(), &claims(now, now + 86400));
    let expired = token::issue(&keys(), &claims(now - 86400, now - 1));
    let answers = node(&[
        json!({"operation": "verify_token", "token": signed, "secret": SECRET}),
        json!({"operation": "verify_token", "token": signed, "secret": "another"}),
        json!({"operation": "verify_token", "token": expired, "secret": SECRET}),
    ])
    .await;
    assert_eq!(answers[0]["header"], json!({"alg": "HS256", "typ": "JWT"}));
    assert_eq!(answers[0]["payload"], serde_json::to_value(claims(now, now + 86400)).unwrap());
    let order: Vec<&String> = answers[0]["payload"].as_object().unwrap().keys().collect();
    let medusas = [
        "actor_id",
        "actor_type",
        "auth_identity_id",
        "auth_provider",
        "mfa_enabled",
        "mfa_challenge_completed_at",
        "app_metadata",
        "user_metadata",
        "iat",
        "exp",
    ];
    assert_eq!(order, medusas);
    assert_eq!(answers[1], json!({"error": "invalid signature"}));
    assert_eq!(answers[2], json!({"error": "jwt expired"}));
}

/// Everybody who logged in at Medusa would be refused here. The claims are those of 2.11.2, without the newer three.
#[tokio::test]
async fn tokens_signed_by_jsonwebtoken_are_taken_here() {
    let of_2_11 = json!({
        "actor_id": "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "actor_type": "customer",
        "auth_identity_id": "authid_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "app_metadata": {"customer_id": "cus_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        "user_metadata": {},
    });
    let sign = |secret: &str| json!({"operation": "sign", "claims": of_2_11, "secret": secret, "expires_in": "1d"});
    let answers = node(&[sign(SECRET), sign("another")]).await;
    let tokens: Vec<&str> = answers.iter().map(|answer| answer["token"].as_str().unwrap()).collect();

    let read = token::read_auth(&keys(), tokens[0], now()).unwrap();
    let expected = AuthClaims { auth_provider: None, ..claims(read.iat, read.iat + 86400) };
    assert_eq!(read, expected);
    let after = Timestamp::from_seconds(read.exp).unwrap();
    assert_eq!(token::read_auth(&keys(), tokens[0], after), None, "expired");
    assert_eq!(token::read_auth(&keys(), tokens[1], now()), None, "signed with another secret");
}

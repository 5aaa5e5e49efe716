//! Tokens: Medusa's login and reset tokens, and the OTP tokens that are ours alone.
//!
//! All are JWTs with HS256 and the header that Medusa writes. Login and reset tokens are signed with `http.jwtSecret`, as
//! Medusa 2.11.2 and 2.21.2 expect, and told apart by their claims; an OTP token has a key of its own a kind. The rules of
//! RFC 8725 that apply are here: one algorithm, checked before the signature; kinds that never pass for one another; time
//! taken from the operation. There is deliberately no look-up here: whether the identity still exists, or issued the token
//! before its last password change, is the caller's to check.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_types::timestamp::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::keys::{Keys, TokenKey};

mod otp;

pub use otp::{OtpKind, OtpToken, issue_otp, read_otp};

/// The header as Node's `jsonwebtoken` writes it: `alg` before `typ`.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Marks a reset token, and keeps it from passing for a login; Medusa 2.21.2.
const RESET_PURPOSE: &str = "reset";

/// The claims of a login token, written in this order (Medusa 2.21.2; 2.11.2 reads them as well).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthClaims {
    /// The customer's or user's id; empty while the identity has none.
    #[serde(default, deserialize_with = "null_as_default")]
    pub actor_id: String,
    /// `customer` or `user`.
    pub actor_type: String,
    /// The identity's id.
    #[serde(default, deserialize_with = "null_as_default")]
    pub auth_identity_id: String,
    /// The provider that was logged in with; absent in tokens of 2.11.
    #[serde(default)]
    pub auth_provider: Option<String>,
    /// Whether the identity has an enabled second factor.
    #[serde(default, deserialize_with = "null_as_default")]
    pub mfa_enabled: bool,
    /// When the second factor was shown; Medusa writes the format.
    #[serde(default)]
    pub mfa_challenge_completed_at: Option<Value>,
    /// Which actor the identity belongs to, such as `{"customer_id":"cus_…"}`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub app_metadata: Map<String, Value>,
    /// The provider identity's public data.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user_metadata: Map<String, Value>,
    /// Seconds since 1970; 0 where a foreign token has none, so that it counts as older than any password change.
    #[serde(default)]
    pub iat: i64,
    /// Seconds since 1970; the first second at which the token is no longer taken.
    pub exp: i64,
}

impl AuthClaims {
    /// Whether a second factor is still to be shown: a guarded route refuses such a token (Medusa 2.21.2).
    pub fn awaits_second_factor(&self) -> bool {
        self.mfa_enabled && self.mfa_challenge_completed_at.as_ref().is_none_or(Value::is_null)
    }
}

/// The claims of a reset token, as Medusa writes them, with the `jti` that makes it usable once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetClaims {
    /// The e-mail address or phone number that the provider identity is stored under.
    pub entity_id: String,
    /// `emailpass` or `phonepass`.
    pub provider: String,
    /// `customer` or `user`.
    pub actor_type: String,
    /// Which token this is; absent in tokens of Medusa 2.11.2, which we do not take.
    #[serde(default)]
    pub jti: Option<String>,
    /// Seconds since 1970.
    #[serde(default)]
    pub iat: i64,
    /// Seconds since 1970; the first second at which the token is no longer taken.
    pub exp: i64,
}

/// A reset token's claims in the order written.
#[derive(Serialize)]
struct WrittenResetClaims<'a> {
    entity_id: &'a str,
    provider: &'a str,
    actor_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    purpose: &'static str,
    iat: i64,
    exp: i64,
}

/// A login token, signed with the first secret.
pub fn issue(keys: &Keys, claims: &AuthClaims) -> String {
    write(keys.auth_key(), claims)
}

/// The claims of a login token that counts now, signed by us or by Medusa with any of the secrets.
///
/// `None` for anything else: forged, expired, not yet valid (`nbf`), without `exp`, without an actor type or without any
/// actor or identity, or of another kind (a reset token).
pub fn read_auth(keys: &Keys, token: &str, now: Timestamp) -> Option<AuthClaims> {
    let claims = keys.auth_keys().find_map(|key| verified(key, token))?;
    if claims.contains_key("purpose") || claims.contains_key("entity_id") || !counts_at(&claims, now) {
        return None;
    }
    let claims: AuthClaims = shaped(claims)?;
    let names_somebody = !claims.actor_id.is_empty() || !claims.auth_identity_id.is_empty();
    (names_somebody && !claims.actor_type.is_empty()).then_some(claims)
}

/// A reset token, signed with the first secret.
pub fn issue_reset(keys: &Keys, claims: &ResetClaims) -> String {
    let ResetClaims { entity_id, provider, actor_type, jti, iat, exp } = claims;
    let jti = jti.as_deref();
    let purpose = RESET_PURPOSE;
    write(keys.auth_key(), &WrittenResetClaims { entity_id, provider, actor_type, jti, purpose, iat: *iat, exp: *exp })
}

/// The claims of a reset token that counts now; `None` for anything else, a login token above all.
///
/// A token of Medusa 2.11.2 reads with `jti: None`; whether the `jti` is the newest one is the caller's to check.
pub fn read_reset(keys: &Keys, token: &str, now: Timestamp) -> Option<ResetClaims> {
    let claims = keys.auth_keys().find_map(|key| verified(key, token))?;
    let names_somebody = claims.contains_key("actor_id") || claims.contains_key("auth_identity_id");
    let foreign = claims.get("purpose").is_some_and(|purpose| purpose != RESET_PURPOSE);
    if names_somebody || foreign || !counts_at(&claims, now) {
        return None;
    }
    shaped(claims)
}

/// Header, claims and signature, joined by dots.
#[expect(clippy::expect_used, reason = "claims are structs and maps with text keys, which JSON always takes")]
fn write(key: &TokenKey, claims: &impl Serialize) -> String {
    let payload = serde_json::to_vec(claims).expect("the claims could not be written as JSON");
    let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(&token);
    token.push('.');
    token.push_str(&signature);
    token
}

/// The claims, if the header says HS256 and the signature is this key's. No claim is judged here.
fn verified(key: &TokenKey, token: &str) -> Option<Map<String, Value>> {
    static RULES: LazyLock<Validation> = LazyLock::new(|| {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules
    });
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, key.verifying(), &RULES).ok()?;
    // RFC 7515, section 4.1.11: who does not understand a critical extension must refuse the token.
    read.header.crit.is_none().then_some(read.claims)
}

/// Whether `exp` is there and still ahead, and `nbf`, if there, reached. No leeway, as in Node's `jsonwebtoken`.
fn counts_at(claims: &Map<String, Value>, now: Timestamp) -> bool {
    let live = claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| now.seconds() < exp);
    let begun = claims.get("nbf").is_none_or(|nbf| nbf.as_i64().is_some_and(|nbf| nbf <= now.seconds()));
    live && begun
}

/// The claims as a type; `None` where one is missing or of another JSON type.
fn shaped<T: DeserializeOwned>(claims: Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(claims)).ok()
}

/// A `null` claim counts as an absent one.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use cr_types::ids::OtpId;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "a secret of more than thirty-two bytes";
    const NOW: i64 = 1_767_323_045;

    fn keys(secrets: &[&str]) -> Keys {
        let secrets: Vec<_> = secrets.iter().copied().map(Into::into).collect();
        Keys::new(&secrets, &"a cookie secret".into())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    fn login() -> AuthClaims {
        AuthClaims {
            actor_id: "cus_1".to_owned(),
            actor_type: "customer".to_owned(),
            auth_identity_id: "authid_1".to_owned(),
            auth_provider: Some("emailpass".to_owned()),
            mfa_enabled: false,
            mfa_challenge_completed_at: None,
            app_metadata: Map::from_iter([("customer_id".to_owned(), json!("cus_1"))]),
            user_metadata: Map::new(),
            iat: NOW,
            exp: NOW + 86_400,
        }
    }

    fn reset() -> ResetClaims {
        ResetClaims {
            entity_id: "a@example.com".to_owned(),
            provider: "emailpass".to_owned(),
            actor_type: "customer".to_owned(),
            jti: Some("one".to_owned()),
            iat: NOW,
            exp: NOW + 900,
        }
    }

    /// A token with any header and claims, rightly signed with `SECRET`.
    fn forged(header: &str, claims: &Value, algorithm: hmac::Algorithm) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The login claims with some replaced, or left out where the replacement is `"(absent)"`.
    fn with(changes: &Value) -> Value {
        let mut claims = serde_json::to_value(login()).unwrap();
        for (name, value) in changes.as_object().unwrap().clone() {
            if value == "(absent)" {
                claims.as_object_mut().unwrap().shift_remove(&name);
            } else {
                claims[name] = value;
            }
        }
        claims
    }

    /// The text of a token's part.
    fn part(token: &str, index: usize) -> String {
        String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn header_and_claims_are_written_in_medusas_order() {
        let token = issue(&keys(&[SECRET]), &login());
        assert_eq!(part(&token, 0), r#"{"alg":"HS256","typ":"JWT"}"#);
        assert_eq!(
            part(&token, 1),
            concat!(
                r#"{"actor_id":"cus_1","actor_type":"customer","auth_identity_id":"authid_1","auth_provider":"emailpass","#,
                r#""mfa_enabled":false,"mfa_challenge_completed_at":null,"app_metadata":{"customer_id":"cus_1"},"#,
                r#""user_metadata":{},"iat":1767323045,"exp":1767409445}"#
            )
        );
        let token = issue_reset(&keys(&[SECRET]), &reset());
        assert_eq!(
            part(&token, 1),
            concat!(
                r#"{"entity_id":"a@example.com","provider":"emailpass","actor_type":"customer","jti":"one","#,
                r#""purpose":"reset","iat":1767323045,"exp":1767323945}"#
            )
        );
    }

    /// Made by npm's `jsonwebtoken` with the claims of Medusa 2.11.2.
    #[test]
    fn a_token_of_medusa_2_11_is_taken() {
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
            eyJhY3Rvcl9pZCI6ImN1c18xIiwiYWN0b3JfdHlwZSI6ImN1c3RvbWVyIiwiYXV0aF9pZGVudGl0eV9pZCI6ImF1dGhpZF8xIiwiYXBwX21l\
            dGFkYXRhIjp7ImN1c3RvbWVyX2lkIjoiY3VzXzEifSwidXNlcl9tZXRhZGF0YSI6e30sImlhdCI6MTc2NzMyMzA0NSwiZXhwIjoxNzY3NDA5\
            NDQ1fQ.helFZfQm9rx3PRmMi71Uv6J6kIFjmgOFjDNOIHn3g5Y";
        let read = read_auth(&keys(&[SECRET]), token, at(NOW)).unwrap();
        assert_eq!(read, AuthClaims { auth_provider: None, ..login() });
    }

    #[test]
    fn login_claims_are_judged_one_by_one() {
        let keys = keys(&[SECRET]);
        for (name, changes, taken) in [
            ("as issued", json!({}), true),
            ("live for one more second", json!({ "exp": NOW + 1 }), true),
            ("expired this second", json!({ "exp": NOW }), false),
            ("expired long ago", json!({ "exp": 0 }), false),
            ("expired before time began", json!({ "exp": -1 }), false),
            ("without exp", json!({ "exp": "(absent)" }), false),
            ("exp null", json!({ "exp": null }), false),
            ("exp a text", json!({ "exp": "99999999999" }), false),
            ("exp beyond the integers", json!({ "exp": 1e300 }), false),
            ("nbf reached", json!({ "nbf": NOW }), true),
            ("nbf ahead", json!({ "nbf": NOW + 1 }), false),
            ("nbf a text", json!({ "nbf": "0" }), false),
            ("iat ahead", json!({ "iat": NOW + 1_000 }), true),
            ("without iat", json!({ "iat": "(absent)" }), true),
            ("no actor yet", json!({ "actor_id": "" }), true),
            ("actor null", json!({ "actor_id": null }), true),
            ("no identity, as an integration may sign", json!({ "auth_identity_id": "(absent)" }), true),
            ("neither", json!({ "actor_id": "", "auth_identity_id": "" }), false),
            ("neither at all", json!({ "actor_id": "(absent)", "auth_identity_id": "(absent)" }), false),
            ("without actor type", json!({ "actor_type": "(absent)" }), false),
            ("empty actor type", json!({ "actor_type": "" }), false),
            ("actor type a list", json!({ "actor_type": ["customer"] }), false),
            ("actor a number", json!({ "actor_id": 1 }), false),
            ("metadata null", json!({ "app_metadata": null, "user_metadata": null }), true),
            ("metadata a text", json!({ "app_metadata": "cus_1" }), false),
            ("a purpose", json!({ "purpose": "reset" }), false),
            ("somebody to reset", json!({ "entity_id": "a@example.com" }), false),
        ] {
            let token = forged(HEADER, &with(&changes), hmac::HMAC_SHA256);
            assert_eq!(read_auth(&keys, &token, at(NOW)).is_some(), taken, "{name}");
        }
    }

    /// RFC 8725, sections 2.1, 3.1 and 3.2.
    #[test]
    fn one_algorithm_and_a_right_signature_are_asked_for() {
        let keys = keys(&[SECRET]);
        let claims = with(&json!({}));
        let good = forged(HEADER, &claims, hmac::HMAC_SHA256);
        assert!(read_auth(&keys, &good, at(NOW)).is_some());
        let unsigned = &good[..=good.rfind('.').unwrap()];
        let none = forged(r#"{"alg":"none","typ":"JWT"}"#, &claims, hmac::HMAC_SHA256);
        for (name, token) in [
            ("none", none[..=none.rfind('.').unwrap()].to_owned()),
            ("none with a signature", none),
            ("None", forged(r#"{"alg":"None"}"#, &claims, hmac::HMAC_SHA256)),
            ("HS384", forged(r#"{"alg":"HS384","typ":"JWT"}"#, &claims, hmac::HMAC_SHA384)),
            ("HS512", forged(r#"{"alg":"HS512","typ":"JWT"}"#, &claims, hmac::HMAC_SHA512)),
            ("RS256 with our secret", forged(r#"{"alg":"RS256","typ":"JWT"}"#, &claims, hmac::HMAC_SHA256)),
            ("HS256 signed with SHA-512", forged(HEADER, &claims, hmac::HMAC_SHA512)),
            ("no algorithm", forged(r#"{"typ":"JWT"}"#, &claims, hmac::HMAC_SHA256)),
            ("critical extension", forged(r#"{"alg":"HS256","crit":["x"],"x":1}"#, &claims, hmac::HMAC_SHA256)),
            ("no signature", unsigned.to_owned()),
            ("signature cut", good[..good.len() - 1].to_owned()),
            ("token cut", good[..good.len() / 2].to_owned()),
            ("two parts", good[..good.rfind('.').unwrap()].to_owned()),
            ("four parts", format!("{good}.e30")),
            ("padded", format!("{good}=")),
            ("blank behind", format!("{good} ")),
            ("other claims", good.replacen("eyJhY3Rvcl9pZCI6ImN1c18x", "eyJhY3Rvcl9pZCI6ImN1c18y", 1)),
            ("claims no object", forged(HEADER, &json!([1]), hmac::HMAC_SHA256)),
            ("empty", String::new()),
            ("dots", "..".to_owned()),
        ] {
            assert!(read_auth(&keys, &token, at(NOW)).is_none(), "{name}");
        }
    }

    /// RFC 8725, section 3.10: a token does not say by which key it is to be believed.
    #[test]
    fn no_header_brings_a_key_of_its_own() {
        let keys = keys(&[SECRET]);
        let claims = URL_SAFE_NO_PAD.encode(with(&json!({})).to_string());
        let brought = "a key that the token brings along by itself";
        let foreign = hmac::Key::new(hmac::HMAC_SHA256, brought.as_bytes());
        for header in [
            json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode(brought) } }),
            json!({ "alg": "HS256", "jku": "https://evil.example/keys.json" }),
            json!({ "alg": "HS256", "x5u": "https://evil.example/chain.pem" }),
            json!({ "alg": "HS256", "x5c": [URL_SAFE_NO_PAD.encode(brought)] }),
            json!({ "alg": "HS256", "kid": "../../dev/null" }),
        ] {
            let input = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
            let signature = hmac::sign(&foreign, input.as_bytes());
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert!(read_auth(&keys, &token, at(NOW)).is_none(), "{header}");
        }
    }

    #[test]
    fn no_kind_passes_for_another() {
        let keys = keys(&[SECRET]);
        let (auth, reset_token) = (issue(&keys, &login()), issue_reset(&keys, &reset()));
        assert!(read_auth(&keys, &auth, at(NOW)).is_some() && read_reset(&keys, &reset_token, at(NOW)).is_some());
        assert!(read_reset(&keys, &auth, at(NOW)).is_none() && read_otp(&keys, &auth).is_none());
        assert!(read_auth(&keys, &reset_token, at(NOW)).is_none() && read_otp(&keys, &reset_token).is_none());
        for kind in OtpKind::ALL {
            let token = OtpToken { id: OtpId::from_stored("otp_1"), kind, exp: at(NOW + 60) };
            let written = issue_otp(&keys, &token);
            assert_eq!(read_otp(&keys, &written), Some(token), "{kind:?}");
            assert!(read_auth(&keys, &written, at(NOW)).is_none(), "{kind:?}");
            assert!(read_reset(&keys, &written, at(NOW)).is_none(), "{kind:?}");
        }
    }

    #[test]
    fn reset_claims_are_judged_one_by_one() {
        let keys = keys(&[SECRET]);
        let claims = json!({ "entity_id": "a", "provider": "emailpass", "actor_type": "customer", "exp": NOW + 900 });
        for (name, changes, taken) in [
            ("as 2.11 has it", json!({}), true),
            ("marked", json!({ "purpose": "reset", "jti": "one" }), true),
            ("another purpose", json!({ "purpose": "login" }), false),
            ("purpose null", json!({ "purpose": null }), false),
            ("expired", json!({ "exp": NOW }), false),
            ("not yet", json!({ "nbf": NOW + 1 }), false),
            ("somebody logged in", json!({ "auth_identity_id": "authid_1" }), false),
            ("an actor", json!({ "actor_id": "" }), false),
            ("nobody", json!({ "entity_id": null }), false),
        ] {
            let mut changed = claims.clone();
            changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let token = forged(HEADER, &changed, hmac::HMAC_SHA256);
            assert_eq!(read_reset(&keys, &token, at(NOW)).is_some(), taken, "{name}");
        }
    }

    #[test]
    fn a_former_secret_still_reads_and_a_dropped_or_foreign_one_does_not() {
        let old = keys(&["old"]);
        let otp = OtpToken { id: OtpId::from_stored("otp_1"), kind: OtpKind::Deletion, exp: at(NOW) };
        let tokens = (issue(&old, &login()), issue_reset(&old, &reset()), issue_otp(&old, &otp));
        for (secrets, reads) in [(vec!["old"], true), (vec!["new", "old"], true), (vec!["new"], false), (vec![], false)]
        {
            let keys = keys(&secrets);
            assert_eq!(read_auth(&keys, &tokens.0, at(NOW)).is_some(), reads, "{secrets:?}");
            assert_eq!(read_reset(&keys, &tokens.1, at(NOW)).is_some(), reads, "{secrets:?}");
            assert_eq!(read_otp(&keys, &tokens.2).is_some(), reads, "{secrets:?}");
        }
    }

    #[test]
    fn a_second_factor_is_awaited_until_its_challenge_is_done() {
        for (enabled, completed, awaits) in [
            (false, None, false),
            (true, None, true),
            (true, Some(Value::Null), true),
            (true, Some(json!("2026-01-02T03:04:05.678Z")), false),
        ] {
            let claims = AuthClaims { mfa_enabled: enabled, mfa_challenge_completed_at: completed.clone(), ..login() };
            assert_eq!(claims.awaits_second_factor(), awaits, "{enabled} {completed:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>(), like in "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}") {
            let keys = keys(&[SECRET]);
            for token in [&text, &like] {
                prop_assert!(read_auth(&keys, token, at(NOW)).is_none());
                prop_assert!(read_reset(&keys, token, at(NOW)).is_none());
                prop_assert!(read_otp(&keys, token).is_none());
            }
        }
    }
}

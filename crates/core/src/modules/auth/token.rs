//! Tokens: Medusa's login and reset tokens, and the OTP tokens that are ours alone.
//!
//! All are JWTs with HS256 and the header that Medusa writes. Login and reset tokens are signed with `http.jwtSecret`, as
//! Medusa 2.11.2 and 2.21.2 expect, and told apart by their claims; an OTP token has a key of its own a kind. The rules of
//! RFC 8725 that apply are here: one algorithm, checked before the signature; kinds that never pass for one another; time
//! taken from the operation. There is deliberately no look-up here: whether the identity still exists, or issued the token
//! before its last password change, is the caller's to check.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_types::ids::OtpId;
use cr_types::timestamp::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::keys::{Keys, TokenKey};

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

/// What an OTP is for, which decides the key of its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OtpKind {
    /// Verifies a contact.
    Verify,
    /// Confirms a new contact.
    ContactChange,
    /// Confirms that an account is to be deleted.
    Deletion,
    /// Confirms that a deletion is called off.
    Cancellation,
}

impl OtpKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Verify, Self::ContactChange, Self::Deletion, Self::Cancellation];

    /// `verify`, `contact_change`, `deletion` or `cancellation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::ContactChange => "contact_change",
            Self::Deletion => "deletion",
            Self::Cancellation => "cancellation",
        }
    }

    /// The kind's name on its key.
    fn label(self) -> String {
        format!("otp {}", self.as_str())
    }
}

/// What an OTP token says: nothing but which OTP, of which kind, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtpToken {
    /// The row of `otp_verification`.
    pub id: OtpId,
    /// What it is for.
    pub kind: OtpKind,
    /// When the code expires; whole seconds on the wire.
    pub exp: Timestamp,
}

/// An OTP token's claims: `{"id":"otp_…","kind":"verify","exp":1767323045}`.
#[derive(Serialize, Deserialize)]
struct OtpClaims {
    id: OtpId,
    kind: OtpKind,
    exp: i64,
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

/// An OTP token, signed with the key of its kind.
pub fn issue_otp(keys: &Keys, token: &OtpToken) -> String {
    let claims = OtpClaims { id: token.id.clone(), kind: token.kind, exp: token.exp.seconds() };
    write(&keys.token_key(&token.kind.label()), &claims)
}

/// What an OTP token says, expired or not: callers answer differently when it expired.
///
/// `None` if it is forged, malformed or signed with another kind's key.
pub fn read_otp(keys: &Keys, token: &str) -> Option<OtpToken> {
    OtpKind::ALL.into_iter().find_map(|kind| {
        let claims = keys.token_keys(&kind.label()).find_map(|key| verified(&key, token))?;
        let claims: OtpClaims = shaped(claims)?;
        let exp = Timestamp::from_seconds(claims.exp)?;
        (claims.kind == kind).then_some(OtpToken { id: claims.id, kind, exp })
    })
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
    let mut rules = Validation::new(Algorithm::HS256);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, key.verifying(), &rules).ok()?;
    // RFC 7515, section 4.1.11: who does not understand a critical extension must refuse the token.
    (!read.header.extras.inner().contains_key("crit")).then_some(read.claims)
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

//! Signing and reading HMAC tokens independently of the product's own code, so that the two can be compared.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// A token over these claims, in this order; `none` and unknown algorithms leave the signature empty.
pub(crate) fn sign(claims: &Map<String, Value>, secret: &str, algorithm: &str) -> String {
    let header = encode(&json!({"alg": algorithm, "typ": "JWT"}));
    let payload = encode(&Value::Object(claims.clone()));
    let signed = format!("{header}.{payload}");
    let signature = digest(algorithm).map(|digest| {
        let tag = hmac::sign(&hmac::Key::new(digest, secret.as_bytes()), signed.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())
    });
    format!("{signed}.{}", signature.unwrap_or_default())
}

/// Header and claims of a token; nothing is checked. `None` when it is not three parts of JSON in base64url.
pub(crate) fn decode(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let header = part(parts.next()?)?;
    let claims = part(parts.next()?)?;
    Some((header, claims))
}

/// Whether the signature is an HMAC under this secret.
pub(crate) fn is_signed_by(token: &str, secret: &str) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let algorithm = decode(token).and_then(|(header, _)| digest(header["alg"].as_str()?));
    let Some(algorithm) = algorithm else { return false };
    let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
    hmac::verify(&hmac::Key::new(algorithm, secret.as_bytes()), signed.as_bytes(), &signature).is_ok()
}

/// The HMAC behind the word in a token's header (RFC 7518, 3.2).
fn digest(algorithm: &str) -> Option<hmac::Algorithm> {
    match algorithm {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// Compact JSON in base64url.
fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The JSON behind one part.
fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

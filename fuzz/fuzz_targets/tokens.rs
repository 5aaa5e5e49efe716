//! No text reads as a token but what was signed or sealed here, as the kind that it is. Input: any token, or a header and
//! claims on two lines, which are signed with the right secret.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cr_core::keys::{Keys, Seal};
use cr_core::modules::auth::token::{
    AuthClaims, OtpKind, OtpToken, ResetClaims, issue, issue_otp, issue_reset, read_auth, read_otp, read_reset,
};
use cr_server::session;
use cr_types::ids::OtpId;
use cr_types::timestamp::Timestamp;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: i64 = 1_767_323_045;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(&[SECRET.into()], &"a cookie secret".into()));

/// A moment in seconds since 1970.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// The claims that a session cookie of this value stands for.
fn session_of(value: &str) -> Option<AuthClaims> {
    let value = HeaderValue::from_str(&format!("{}={value}", session::COOKIE)).ok()?;
    session::read(&KEYS, &HeaderMap::from_iter([(header::COOKIE, value)]), at(NOW))
}

/// What reads a text at all.
fn readers(token: &str) -> Vec<&'static str> {
    let mut readers = Vec::new();
    readers.extend(read_auth(&KEYS, token, at(NOW)).map(|_| "login"));
    readers.extend(read_reset(&KEYS, token, at(NOW)).map(|_| "reset"));
    readers.extend(read_otp(&KEYS, token).map(|_| "code"));
    readers.extend(session_of(token).map(|_| "session"));
    for seal in [Seal::Outbox, Seal::Otp, Seal::Undo, Seal::Session] {
        readers.extend(KEYS.open(seal, "row", token).map(|_| "sealed"));
    }
    readers
}

/// Any header and claims under the right secret.
fn signed(header: &str, claims: &str, algorithm: hmac::Algorithm) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The token with one character changed, which the text chooses.
fn changed(token: &str, chosen_by: &str) -> String {
    let sum: usize = chosen_by.bytes().map(usize::from).sum();
    let with = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_. "[sum % 66];
    let mut bytes = token.as_bytes().to_vec();
    let at = chosen_by.len().wrapping_mul(31).wrapping_add(sum) % bytes.len();
    bytes[at] = with;
    String::from_utf8(bytes).unwrap()
}

/// A token of ours says what was put in, to its own reader alone, and nothing once it was changed.
fn read_alone(token: &str, reader: &str, text: &str) {
    assert_eq!(readers(token), [reader], "{token}");
    let other = changed(token, text);
    assert!(other == token || readers(&other).is_empty(), "{token} changed to {other}");
}

/// Header and claims as they come, rightly signed.
fn judge_signed(header: &str, claims: &str) {
    for algorithm in [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512] {
        let token = signed(header, claims, algorithm);
        let readers = readers(&token);
        assert!(readers.len() <= 1 && !readers.iter().any(|reader| ["code", "sealed"].contains(reader)), "{readers:?}");
        let Some(reader) = readers.first() else { continue };
        let said: Value = serde_json::from_str(header).unwrap();
        assert!(algorithm == hmac::HMAC_SHA256 && said["alg"] == "HS256" && said["crit"].is_null(), "{header}");
        let said: Value = serde_json::from_str(claims).unwrap();
        assert!(said["exp"].as_i64().is_some_and(|exp| exp > NOW), "{claims}");
        read_alone(&token, reader, claims);
        if let Some(read) = read_auth(&KEYS, &token, at(NOW)) {
            assert!(!read.actor_type.is_empty() && said.get("purpose").is_none(), "{claims}");
            let again = issue(&KEYS, &read);
            assert_eq!(read_auth(&KEYS, &again, at(NOW)), Some(read.clone()), "{claims}");
            assert_eq!(read_auth(&KEYS, &again, at(read.exp.min(NOW * 2))).is_some(), read.exp > NOW * 2, "{claims}");
        }
    }
    let sealed = KEYS.seal(Seal::Session, session::COOKIE, claims.as_bytes());
    if let Some(read) = session_of(&sealed) {
        assert!(read.exp > NOW, "{claims}");
        read_alone(&sealed, "session", claims);
    }
}

fuzz_target!(|text: &str| {
    assert_eq!(readers(text), Vec::<&str>::new(), "forged: {text}");
    if let Some((header, claims)) = text.split_once('\n') {
        judge_signed(header, claims);
    }
    let words: Vec<&str> = text.split('\n').collect();
    let kind = OtpKind::ALL[text.len() % 4];
    let otp = OtpToken { id: OtpId::from_stored(text), kind, exp: at(NOW) };
    let token = issue_otp(&KEYS, &otp);
    assert_eq!(read_otp(&KEYS, &token), Some(otp));
    read_alone(&token, "code", text);
    let word = |index: usize| words.get(index).copied().unwrap_or_default().to_owned();
    let reset = ResetClaims {
        entity_id: word(0),
        provider: word(1),
        actor_type: word(2),
        jti: words.get(3).map(|jti| (*jti).to_owned()),
        iat: NOW,
        exp: NOW + 1,
    };
    let token = issue_reset(&KEYS, &reset);
    assert_eq!(read_reset(&KEYS, &token, at(NOW)), Some(reset));
    assert_eq!(read_reset(&KEYS, &token, at(NOW + 1)), None);
    read_alone(&token, "reset", text);
});

//! The session cookie `cr.sid`: the claims of the token that opened it, sealed, and nothing kept on the server.
//!
//! It ends when that token would end. Only the browser can be told to forget it; what ends all sessions of an identity is
//! its `cr_not_before`, which is compared with the `iat` in here.

use chrono::{DateTime, Utc};
use cr_core::error::Error;
use cr_core::keys::{Keys, Seal};
use cr_core::modules::auth::token::AuthClaims;
use cr_types::timestamp::Timestamp;
use http::{HeaderMap, HeaderValue, header};

use crate::state::ServerState;

/// The cookie's name.
pub const COOKIE: &str = "cr.sid";

/// The claims in the session cookie, if it is ours and has not ended.
pub fn read(keys: &Keys, headers: &HeaderMap, now: Timestamp) -> Option<AuthClaims> {
    cookies(headers)
        .filter(|(name, _)| *name == COOKIE)
        .filter_map(|(_, value)| keys.open(Seal::Session, COOKIE, value))
        .filter_map(|plain| serde_json::from_slice::<AuthClaims>(&plain).ok())
        .find(|claims| claims.exp > now.seconds())
}

/// The `Set-Cookie` that opens a session. In production there is none unless the client came by TLS, as in Medusa 2.11.2:
/// a browser would refuse the cookie anyway.
///
/// # Errors
/// 500 when the sealed text cannot stand in a header, which is a fault of ours.
pub fn open(state: &ServerState, claims: &AuthClaims, secure: bool) -> Result<Option<HeaderValue>, Error> {
    if state.production() && !secure {
        return Ok(None);
    }
    let plain = serde_json::to_vec(claims).map_err(Error::internal)?;
    let sealed = state.keys().seal(Seal::Session, COOKIE, &plain);
    let ends = Timestamp::from_seconds(claims.exp).unwrap_or_else(|| state.now());
    set_cookie(&sealed, ends.as_datetime(), state.production()).map(Some)
}

/// The `Set-Cookie` that makes a browser forget the session.
///
/// # Errors
/// As [`open`].
pub fn close(state: &ServerState) -> Result<HeaderValue, Error> {
    set_cookie("", DateTime::UNIX_EPOCH, state.production())
}

/// `cr.sid=…; Path=/; Expires=…; HttpOnly`, then `Secure; SameSite=None` in production and `SameSite=Lax` elsewhere.
fn set_cookie(value: &str, expires: DateTime<Utc>, production: bool) -> Result<HeaderValue, Error> {
    let expires = expires.format("%a, %d %b %Y %H:%M:%S GMT");
    let scope = if production { "Secure; SameSite=None" } else { "SameSite=Lax" };
    HeaderValue::from_str(&format!("{COOKIE}={value}; Path=/; Expires={expires}; HttpOnly; {scope}"))
        .map_err(Error::internal)
}

/// Name and value of every cookie sent, quotes removed.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        // Somebody else's cookie may be no text.
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_follow_the_environment() {
        let ends = DateTime::from_timestamp(1_767_323_045, 0).unwrap();
        for (production, header) in [
            (false, "cr.sid=x; Path=/; Expires=Fri, 02 Jan 2026 03:04:05 GMT; HttpOnly; SameSite=Lax"),
            (true, "cr.sid=x; Path=/; Expires=Fri, 02 Jan 2026 03:04:05 GMT; HttpOnly; Secure; SameSite=None"),
        ] {
            assert_eq!(set_cookie("x", ends, production).unwrap(), header);
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; cr.sid=\"abc=\"; b"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=d=e"));
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"name=Zo\xeb; f=g").unwrap());
        let found: Vec<_> = cookies(&headers).collect();
        assert_eq!(found, [("a", "1"), ("cr.sid", "abc="), ("c", "d=e"), ("f", "g")]);
    }
}

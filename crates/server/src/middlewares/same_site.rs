//! The guard against other people's pages: a write made with the session cookie must come from a page that may make it.
//!
//! In production the cookie is `SameSite=None`, so the browser sends it along from anywhere. A bearer token needs no such
//! guard, since no browser adds one by itself.

use cr_core::error::Error;
use http::{HeaderMap, Method, header};

use crate::middlewares::cors::Cors;

/// Lets reading through, and writing from the request's own host, from an origin that CORS names, or from no browser. A connection
/// that is to be upgraded can be written to, and no browser asks before it opens a socket.
///
/// # Errors
/// 403 for a foreign `Origin`, and for whatever the browser itself calls cross-site.
pub fn check(method: &Method, headers: &HeaderMap, cors: Option<&Cors>) -> Result<(), Error> {
    let is_upgrade = headers.contains_key(header::UPGRADE);
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && !is_upgrade {
        return Ok(());
    }
    let refused =
        || Error::forbidden("cross_site_request", "A session can be used for writing only from the shop's own pages");
    if headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site")) {
        return Err(refused());
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().map_err(|_| refused())?;
    if cors.is_some_and(|cors| cors.allows(origin)) || is_own_host(origin, headers) {
        return Ok(());
    }
    Err(refused())
}

/// Whether an origin's host and port are those that the request was sent to. A proxy may have ended TLS, so the scheme
/// cannot be compared.
fn is_own_host(origin: &str, headers: &HeaderMap) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let without_port = |text: &str| {
        let bare = text.strip_suffix(":443").or_else(|| text.strip_suffix(":80")).unwrap_or(text);
        bare.to_ascii_lowercase()
    };
    !authority.is_empty() && without_port(authority) == without_port(host)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// A page that a customer happens to visit must not change their account.
    #[test]
    fn a_write_by_cookie_comes_from_our_own_pages() {
        let cors = Cors::parse("https://shop.example").unwrap();
        for (name, method, origin, site, passes) in [
            ("no browser", Method::POST, None, None, true),
            ("own host", Method::POST, Some("https://api.example:9000"), Some("same-origin"), true),
            ("own host, other case", Method::POST, Some("https://API.example:9000"), None, true),
            ("named by CORS", Method::POST, Some("https://shop.example"), Some("same-site"), true),
            ("foreign", Method::POST, Some("https://evil.example"), None, false),
            ("foreign, delete", Method::DELETE, Some("https://evil.example"), None, false),
            ("foreign, reading", Method::GET, Some("https://evil.example"), Some("cross-site"), true),
            ("own host, other port", Method::POST, Some("https://api.example:9001"), None, false),
            ("own host as a prefix", Method::POST, Some("https://api.example:9000.evil.example"), None, false),
            ("null", Method::POST, Some("null"), None, false),
            ("cross-site without an origin", Method::POST, None, Some("cross-site"), false),
            ("cross-site, named by CORS", Method::POST, Some("https://shop.example"), Some("cross-site"), false),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("api.example:9000"))]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(check(&method, &headers, Some(&cors)).is_ok(), passes, "{name}");
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            assert_eq!(
                check(&method, &headers, Some(&cors)).is_ok(),
                passes && name != "foreign, reading",
                "{name}, upgrade"
            );
        }
    }
}

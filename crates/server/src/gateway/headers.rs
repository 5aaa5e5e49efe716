//! What becomes of headers on their way through: those of one connection stay on it, who came is told anew, cookies of sessions
//! stay on their side.

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::client_address::Origin;
use crate::middlewares::{publishable_key, request_id};
use crate::session;

/// The cookie of Medusa's own session, which means nothing here: sessions are ours.
const MEDUSA_COOKIE: &str = "connect.sid";

/// Headers that belong to one connection (RFC 9110, section 7.6.1), and the expectation that we meet ourselves.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that are judged here by their first line. Node takes the first of some, and of others joins all lines to a text that
/// nobody judged; who stands in between may take the last.
const JUDGED_BY_THE_FIRST: [HeaderName; 6] = [
    header::AUTHORIZATION,
    HeaderName::from_static(publishable_key::HEADER),
    header::CONTENT_LENGTH,
    header::HOST,
    header::ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
];

/// Headers that tell of hops before us; what of them is true is written anew.
const FORWARDING: [HeaderName; 6] = [
    header::FORWARDED,
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The protocol that a connection is to be turned into, such as `websocket`: asked for in `Upgrade`, and named by `Connection`. HTTP/2
/// is none: requests in it would go through unread.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade")).then_some(())?;
    let protocol = headers.get(header::UPGRADE)?;
    let is_http = protocol.to_str().is_ok_and(|words| {
        words.split(',').any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "h2c" | "h2" | "http/2.0"))
    });
    Some(protocol.clone()).filter(|_| !is_http)
}

/// Takes away what belongs to one connection, what `Connection` names included.
pub(super) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_tokens(headers).filter_map(|name| name.parse().ok()).collect();
    // Of two lengths the frame's own is true (RFC 9112, section 6.3).
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Takes away all lines but the first of what was judged by the first. A request is not refused for them: on our own routes the first
/// counts too. Cookies may come in several lines (RFC 9113, section 8.2.3), and all are looked at.
fn keep_first(headers: &mut HeaderMap) {
    for name in &JUDGED_BY_THE_FIRST {
        if let Some(first) = headers.get(name).cloned() {
            headers.insert(name, first);
        }
    }
}

/// The words of all `Connection` headers.
fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The headers of a request as the upstream gets them, `authorization` as it shall be there.
pub(super) fn towards_upstream(
    headers: &mut HeaderMap,
    origin: Origin,
    request_id: &str,
    upgrade: Option<&HeaderValue>,
) {
    drop_hop_by_hop(headers);
    keep_first(headers);
    headers.remove(header::EXPECT);
    for name in &FORWARDING {
        headers.remove(name);
    }
    if let Some(value) = origin.address.and_then(|address| HeaderValue::from_str(&address.to_string()).ok()) {
        headers.insert(FORWARDED_FOR, value);
    }
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(if origin.secure { "https" } else { "http" }));
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(FORWARDED_HOST, host);
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(request_id::HEADER, id);
    }
    keep_other_cookies(headers);
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
}

/// Takes the cookies of both sessions away; all others stay as they were.
fn keep_other_cookies(headers: &mut HeaderMap) {
    let mut pairs =
        headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    if !pairs.any(is_session) {
        return;
    }
    let kept: Vec<HeaderValue> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| {
            let pairs: Vec<&[u8]> =
                value.as_bytes().split(|byte| *byte == b';').filter(|pair| !is_session(pair)).collect();
            let joined = pairs.join(&b';');
            HeaderValue::from_bytes(joined.trim_ascii()).ok().filter(|value| !value.is_empty())
        })
        .collect();
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
}

/// Whether a cookie, `name=…`, is the session of either side.
fn is_session(cookie: &[u8]) -> bool {
    let name = cookie.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    name == session::COOKIE.as_bytes() || name == MEDUSA_COOKIE.as_bytes()
}

/// The headers of an answer as the client gets them; `switches`: it is the one that turns the connection into another protocol,
/// which it names.
pub(super) fn towards_client(headers: &mut HeaderMap, switches: bool) {
    let protocol = headers.get(header::UPGRADE).filter(|_| switches).cloned();
    drop_hop_by_hop(headers);
    if headers.get_all(header::SET_COOKIE).iter().any(|value| is_session(value.as_bytes())) {
        let all: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        for value in all.into_iter().filter(|value| !is_session(value.as_bytes())) {
            headers.append(header::SET_COOKIE, value);
        }
    }
    if let Some(protocol) = protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn told(headers: &HeaderMap) -> Vec<String> {
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        told.sort();
        told
    }

    /// A request that speaks to the next connection, not to the server behind it, splits what the two read.
    #[test]
    fn what_belongs_to_a_connection_stays_on_it() {
        let mut headers = map(&[
            ("connection", "close, X-Secret"),
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        drop_hop_by_hop(&mut headers);
        assert_eq!(told(&headers), ["accept: */*"]);
    }

    #[test]
    fn who_came_is_told_anew_and_sessions_stay_here() {
        let mut headers = map(&[
            ("host", "shop.example"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("x-request-id", "forged"),
            ("cookie", "a=1; cr.sid=x; connect.sid=y; b=\"c;d\""),
            ("cookie", "connect.sid=z"),
            ("expect", "100-continue"),
        ]);
        let origin = Origin { address: Some("203.0.113.7".parse().unwrap()), secure: false };
        towards_upstream(&mut headers, origin, "id-1", None);
        assert_eq!(
            told(&headers),
            [
                "cookie: a=1; b=\"c;d\"",
                "host: shop.example",
                "x-forwarded-for: 203.0.113.7",
                "x-forwarded-host: shop.example",
                "x-forwarded-proto: http",
                "x-request-id: id-1",
            ]
        );
    }

    /// Of two tokens Medusa must not read the one that was not judged.
    #[test]
    fn of_what_was_judged_the_first_line_alone_goes_on() {
        let mut headers = map(&[
            ("authorization", "Bearer a"),
            ("authorization", "Bearer b"),
            ("x-publishable-api-key", "pk_a"),
            ("x-publishable-api-key", "pk_b"),
            ("content-length", "3"),
            ("content-length", "3"),
            ("host", "a"),
            ("host", "b"),
            ("origin", "https://a.example"),
            ("origin", "https://b.example"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("accept", "text/html"),
            ("accept", "*/*"),
        ]);
        keep_first(&mut headers);
        assert_eq!(
            told(&headers),
            [
                "accept: */*",
                "accept: text/html",
                "authorization: Bearer a",
                "content-length: 3",
                "cookie: a=1",
                "cookie: b=2",
                "host: a",
                "origin: https://a.example",
                "sec-fetch-site: same-origin",
                "x-publishable-api-key: pk_a",
            ]
        );
    }

    #[test]
    fn an_upgrade_goes_through_and_medusas_session_does_not() {
        let asked = map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        let protocol = upgrade(&asked).unwrap();
        assert_eq!(protocol, "websocket");
        assert!(
            upgrade(&map(&[("upgrade", "websocket")])).is_none()
                && upgrade(&map(&[("connection", "upgrade")])).is_none()
        );
        for protocol in ["h2c", "websocket, H2C", "HTTP/2.0"] {
            assert!(upgrade(&map(&[("connection", "upgrade"), ("upgrade", protocol)])).is_none(), "{protocol}");
        }
        let mut headers = map(&[
            ("set-cookie", "connect.sid=s; Path=/"),
            ("set-cookie", "cr.sid=forged"),
            ("set-cookie", "cart=1; Path=/"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
        ]);
        towards_client(&mut headers, true);
        assert_eq!(told(&headers), ["connection: upgrade", "set-cookie: cart=1; Path=/", "upgrade: websocket"]);
    }
}

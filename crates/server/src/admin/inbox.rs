//! `{admin.path}/inbox`: what the `local` provider would have sent. Development only, and only for this machine.
//!
//! The page is static files; it reads the messages from `inbox.json`. A message's HTML is shown in a sandboxed frame
//! without scripts, under the page's own content policy.

use std::net::IpAddr;

use cr_core::error::Error;
use cr_core::providers::notification::local::LocalInbox;
use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use crate::admin::pages;
use crate::call::Call;
use crate::respond::Reply;

const PAGE: &str = include_str!("routes/inbox/page.html");

/// What the page may load. A message is shown in a frame of the page's own policy, and mails carry their style in themselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// The page: 200 with HTML.
///
/// # Errors
/// 404 where there is no inbox, and for everybody but this machine itself.
pub async fn page(call: Call) -> Result<Reply, Error> {
    inbox(&call)?;
    Ok(pages::page(&call, PAGE)?.header(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
}

/// The messages, newest first: 200 `{"messages":[{"id","channel","to","subject","html","text","code"?,"created_at"}]}`.
///
/// # Errors
/// As [`page`].
pub async fn list(call: Call) -> Result<Reply, Error> {
    Reply::json(&json!({ "messages": inbox(&call)?.messages() }))
}

/// Forgets all messages: 200 `{"success":true}`.
///
/// # Errors
/// As [`page`].
pub async fn clear(call: Call) -> Result<Reply, Error> {
    inbox(&call)?.clear();
    Reply::json(&json!({ "success": true }))
}

/// The inbox, for somebody at this very machine: a loopback peer, and no header that tells of a proxy in between.
///
/// # Errors
/// 404, as for any path that is not there.
fn inbox(call: &Call) -> Result<&LocalInbox, Error> {
    let inbox = call.state.http.inbox.as_ref().filter(|_| may_see(call));
    inbox.ok_or_else(|| Error::not_found(format!("Cannot {} {}", call.method, call.path)))
}

/// Whether there is an inbox for whoever asks.
pub fn may_see(call: &Call) -> bool {
    call.state.http.inbox.is_some() && call.peer.is_some_and(|peer| allowed(peer, &call.headers))
}

/// Headers by which a proxy tells that it passes on what somebody else asked.
const FORWARDING: [&str; 10] = [
    "forwarded",
    "via",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// Whether a request may see the inbox: from this machine, not through a proxy, and by a name of this machine.
///
/// The name matters because a web page can have its own name resolve to 127.0.0.1 and then read what answers there, with
/// the visitor's browser as the loopback peer (DNS rebinding). A request without `Host` is no browser's.
pub fn allowed(peer: IpAddr, headers: &HeaderMap) -> bool {
    let direct = !FORWARDING.iter().any(|name| headers.contains_key(*name));
    let host_is_ours = match headers.get(header::HOST) {
        None => true,
        Some(host) => host.to_str().is_ok_and(is_loopback_name),
    };
    peer.to_canonical().is_loopback() && direct && host_is_ours
}

/// Whether a `Host` header (name, or address, and perhaps a port) means this machine.
pub(crate) fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Every code of every customer is in there.
    #[test]
    fn only_this_machine_itself_sees_the_inbox() {
        for (peer, name, value, may) in [
            ("127.0.0.1", "host", "127.0.0.1:9000", true),
            ("127.0.0.1", "host", "localhost:9000", true),
            ("127.0.0.1", "host", "Shop.Localhost", true),
            ("127.8.9.1", "accept", "*/*", true),
            ("::1", "host", "[::1]:9000", true),
            ("::ffff:127.0.0.1", "host", "localhost", true),
            ("10.0.0.1", "host", "localhost", false),
            ("203.0.113.7", "host", "203.0.113.7", false),
            ("::ffff:10.0.0.1", "host", "localhost", false),
            ("127.0.0.1", "host", "evil.example", false),
            ("127.0.0.1", "host", "localhost.evil.example", false),
            ("127.0.0.1", "host", "", false),
            ("127.0.0.1", "x-forwarded-for", "127.0.0.1", false),
            ("127.0.0.1", "forwarded", "for=127.0.0.1", false),
            ("127.0.0.1", "x-real-ip", "127.0.0.1", false),
            ("127.0.0.1", "via", "1.1 proxy", false),
        ] {
            let name = HeaderName::from_static(name);
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
            assert_eq!(allowed(peer.parse().unwrap(), &headers), may, "{peer} {name}: {value}");
        }
    }

    /// The page's content policy lets nothing but files of this server run.
    #[test]
    fn the_page_has_no_script_of_its_own() {
        assert!(!PAGE.contains("<script>") && !PAGE.contains(" onclick") && !PAGE.contains("javascript:"));
        assert!(PAGE.contains(r#"<script type="module" src="inbox.js">"#));
        assert!(PAGE.contains(r#"sandbox="allow-popups allow-popups-to-escape-sandbox""#));
    }
}

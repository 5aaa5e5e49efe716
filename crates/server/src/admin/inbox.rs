//! `{admin.path}/inbox`: what the `local` provider would have sent. Development only, and only for this machine.

use cr_core::error::Error;
use cr_core::providers::notification::local::LocalInbox;
use serde_json::json;

use crate::call::Call;
use crate::respond::Reply;

/// The messages, newest first: 200 `{"messages":[…]}`.
///
/// # Errors
/// 404 where there is no inbox, and for everybody but this machine itself.
pub async fn list(call: Call) -> Result<Reply, Error> {
    Reply::json(&json!({ "messages": inbox(&call)?.messages() }))
}

/// Forgets all messages: 200 `{"success":true}`.
///
/// # Errors
/// As [`list`].
pub async fn clear(call: Call) -> Result<Reply, Error> {
    inbox(&call)?.clear();
    Reply::json(&json!({ "success": true }))
}

/// The inbox, for somebody at this very machine: a loopback peer, and no header that tells of a proxy in between.
///
/// # Errors
/// 404, as for any path that is not there.
fn inbox(call: &Call) -> Result<&LocalInbox, Error> {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    let local = call.peer.is_some_and(|peer| peer.to_canonical().is_loopback())
        && !forwarded.iter().any(|name| call.headers.contains_key(*name));
    call.state
        .http
        .inbox
        .as_ref()
        .filter(|_| local)
        .ok_or_else(|| Error::not_found(format!("Cannot {} {}", call.method, call.path)))
}

//! `POST` and `DELETE /auth/session`: a bearer token for a cookie, and the cookie's end.

use cr_core::error::Error;
use cr_core::workflows::refresh_token;
use http::header::SET_COOKIE;
use serde_json::json;

use crate::call::Call;
use crate::respond::Reply;
use crate::session;

/// Opens a session: 200 `{"user": <claims>}` with a new cookie.
///
/// # Errors
/// As [`refresh_token::check_login`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let claims = call.claims()?;
    refresh_token::check_login(call.app(), claims).await?;
    let reply = Reply::json(&json!({ "user": claims }))?;
    Ok(match session::open(&call.state, claims, call.secure)? {
        Some(cookie) => reply.header(SET_COOKIE, cookie),
        None => reply,
    })
}

/// Ends it in this browser: 200 `{"success":true}` with a clearing cookie.
///
/// # Errors
/// Only a fault of ours.
pub async fn delete(call: Call) -> Result<Reply, Error> {
    Ok(Reply::json(&json!({ "success": true }))?.header(SET_COOKIE, session::close(&call.state)?))
}

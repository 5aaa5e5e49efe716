//! What goes back: replies, and the one mapping from a failure to a status and a body.
//!
//! The table is Medusa 2.11.2's error handler. Body keys come in the order `code`, `type`, `message`, then details.

use std::error::Error as StdError;

use axum::body::Body;
use axum::response::Response;
use cr_core::error::{Error, ErrorKind};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::json;

/// What our own pages may load: files of this server, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                           form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer before it becomes bytes.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: ReplyBody,
    /// Further headers; one of the same name as a default of the body replaces it.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The kinds of body that there are.
#[derive(Debug)]
pub enum ReplyBody {
    /// `application/json; charset=utf-8`, written.
    Json(String),
    /// A short text; `text/html; charset=utf-8` as Express's `send` has it, unless a header says otherwise.
    Text(String),
    /// One of our pages, with the headers that keep it safe.
    Html(String),
    /// A file that a page loads; the content type first.
    Asset(&'static str, &'static [u8]),
    /// Nothing.
    Empty,
    /// What the upstream answered, as a whole.
    Passed(Box<Response>),
}

impl Reply {
    /// 200 with a JSON body.
    ///
    /// # Errors
    /// 500 when the value cannot be shown as JSON, which is a fault of ours.
    pub fn json(value: &impl Serialize) -> Result<Self, Error> {
        Self::json_with_status(StatusCode::OK, value)
    }

    /// 201 with a JSON body.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn created_json(value: &impl Serialize) -> Result<Self, Error> {
        Self::json_with_status(StatusCode::CREATED, value)
    }

    /// A JSON body with any status.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn json_with_status(status: StatusCode, value: &impl Serialize) -> Result<Self, Error> {
        let body = json::write(value).map_err(Error::internal)?;
        Ok(Self::new(status, ReplyBody::Json(body)))
    }

    /// 200 with a short text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, ReplyBody::Text(text.into()))
    }

    /// 200 with a page.
    pub fn html(page: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, ReplyBody::Html(page.into()))
    }

    /// A status alone.
    pub fn empty(status: StatusCode) -> Self {
        Self::new(status, ReplyBody::Empty)
    }

    /// The upstream's answer.
    pub fn passed(response: Response) -> Self {
        Self::new(response.status(), ReplyBody::Passed(Box::new(response)))
    }

    /// Status and body without any header.
    fn new(status: StatusCode, body: ReplyBody) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The answer to a failure, and its one line in the log: `info` below 500, `error` with what caused it from there on.
///
/// The line holds ids and words of ours, never what the client sent.
pub fn failure(error: &Error, method: &str, route: &str, request_id: &str) -> Reply {
    let reply = reply_to(error);
    let status = reply.status.as_u16();
    let kind = tracing::field::debug(error.kind);
    let code = error.code.unwrap_or_default();
    if status < 500 {
        tracing::info!(
            request.id = request_id,
            http.status = status,
            error.kind = kind,
            error.code = code,
            "{method} {route} was refused"
        );
        return reply;
    }
    tracing::error!(
        request.id = request_id,
        http.status = status,
        error.kind = kind,
        error.code = code,
        error.chain = chain(error),
        "{method} {route} failed"
    );
    reply
}

/// Every cause below an error, outermost first.
fn chain(error: &Error) -> String {
    let mut text = error.message.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The status and body of a failure, without a log line.
fn reply_to(error: &Error) -> Reply {
    let (status, kind, default_code) = shape(error.kind);
    let mut body = Map::new();
    if let Some(code) = error.code.or(default_code) {
        body.insert("code".to_owned(), code.into());
    }
    if let Some(kind) = kind {
        body.insert("type".to_owned(), kind.into());
    }
    body.insert("message".to_owned(), error.message.clone().into());
    for (key, value) in &error.details {
        body.insert(key.clone(), value.clone());
    }
    // What is a `Value` already can always be written.
    let body = json::write(&Value::Object(body)).unwrap_or_default();
    let reply = Reply::new(status, ReplyBody::Json(body));
    match error.retry_after {
        Some(seconds) => reply.header(header::RETRY_AFTER, HeaderValue::from(seconds)),
        None => reply,
    }
}

/// Status, `type` and default `code` of each kind.
fn shape(kind: ErrorKind) -> (StatusCode, Option<&'static str>, Option<&'static str>) {
    match kind {
        ErrorKind::InvalidData => (StatusCode::BAD_REQUEST, Some("invalid_data"), None),
        ErrorKind::NotAllowed => (StatusCode::BAD_REQUEST, Some("not_allowed"), None),
        ErrorKind::Unauthorized => (StatusCode::UNAUTHORIZED, Some("unauthorized"), None),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, None, None),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, Some("not_found"), None),
        ErrorKind::Duplicate => {
            (StatusCode::UNPROCESSABLE_ENTITY, Some("duplicate_error"), Some("invalid_request_error"))
        }
        ErrorKind::Conflict => (StatusCode::CONFLICT, Some("conflict"), Some("invalid_state_error")),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, Some("not_allowed"), None),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Some("invalid_data"), None),
        ErrorKind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, Some("too_many_requests"), None),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Some("unavailable"), None),
        ErrorKind::BadGateway => (StatusCode::BAD_GATEWAY, Some("unexpected_state"), None),
        ErrorKind::GatewayTimeout => (StatusCode::GATEWAY_TIMEOUT, Some("unexpected_state"), None),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Some("unknown_error"), Some("unknown_error")),
    }
}

/// A reply as bytes.
pub fn into_response(reply: Reply) -> Response {
    let is_page = matches!(reply.body, ReplyBody::Html(_));
    let is_ours = is_page || matches!(reply.body, ReplyBody::Asset(..));
    let (content_type, body) = match reply.body {
        ReplyBody::Json(text) => ("application/json; charset=utf-8", text.into()),
        ReplyBody::Text(text) | ReplyBody::Html(text) => ("text/html; charset=utf-8", text.into()),
        ReplyBody::Asset(content_type, bytes) => (content_type, bytes.into()),
        ReplyBody::Empty => ("", Body::empty()),
        ReplyBody::Passed(response) => return *response,
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if is_ours {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    for (name, value) in reply.headers {
        if name == header::SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Clients branch on these; a row that changes breaks storefronts.
    #[test]
    fn each_kind_has_medusas_status_and_body() {
        for (error, status, body) in [
            (Error::invalid_data("M"), 400, r#"{"type":"invalid_data","message":"M"}"#),
            (Error::not_allowed("M"), 400, r#"{"type":"not_allowed","message":"M"}"#),
            (
                Error::not_allowed("M").code("otp_locked"),
                400,
                r#"{"code":"otp_locked","type":"not_allowed","message":"M"}"#,
            ),
            (Error::unauthorized("M"), 401, r#"{"type":"unauthorized","message":"M"}"#),
            (Error::unauthenticated(), 401, r#"{"message":"Unauthorized"}"#),
            (Error::not_found("M"), 404, r#"{"type":"not_found","message":"M"}"#),
            (Error::duplicate("M"), 422, r#"{"code":"invalid_request_error","type":"duplicate_error","message":"M"}"#),
            (
                Error::conflict(),
                409,
                r#"{"code":"invalid_state_error","type":"conflict","message":"The request conflicted with another request. You may retry the request with the provided Idempotency-Key."}"#,
            ),
            (
                Error::forbidden("mfa_required", "M").detail("a", 1),
                403,
                r#"{"code":"mfa_required","type":"not_allowed","message":"M","a":1}"#,
            ),
            (
                Error::too_large(5),
                413,
                r#"{"type":"invalid_data","message":"The request body is larger than 5 bytes"}"#,
            ),
            (Error::too_many_requests("M", 7), 429, r#"{"type":"too_many_requests","message":"M"}"#),
            (Error::unavailable("M", 1), 503, r#"{"type":"unavailable","message":"M"}"#),
            (Error::bad_gateway("M"), 502, r#"{"type":"unexpected_state","message":"M"}"#),
            (Error::gateway_timeout("M"), 504, r#"{"type":"unexpected_state","message":"M"}"#),
            (
                Error::internal("secret"),
                500,
                r#"{"code":"unknown_error","type":"unknown_error","message":"An unknown error occurred."}"#,
            ),
        ] {
            let reply = reply_to(&error);
            assert_eq!(reply.status.as_u16(), status, "{error:?}");
            let ReplyBody::Json(text) = &reply.body else { panic!("{error:?}") };
            assert_eq!(text, body, "{error:?}");
            let retry = reply.headers.iter().find(|(name, _)| name == header::RETRY_AFTER);
            assert_eq!(retry.is_some(), status == 429 || status == 503, "{error:?}");
        }
    }

    /// A fault of ours, and no panic and no empty 200.
    #[test]
    fn what_cannot_be_written_is_a_failure() {
        let keys_are_no_text = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(Reply::json(&keys_are_no_text).unwrap_err().kind, ErrorKind::Internal);
    }

    #[test]
    fn the_log_gets_every_cause() {
        assert_eq!(chain(&Error::internal("no disk")), "An unknown error occurred.: no disk");
    }
}

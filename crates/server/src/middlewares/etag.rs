//! `ETag`, `304` and `HEAD`: what is done to an answer whose body is complete.

use aws_lc_rs::digest;
use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;

/// Adds the tag to an answer that has a body, turns a match into 304, and takes the body away for `HEAD`.
pub async fn apply(response: Response, method: &Method, request: &HeaderMap) -> Response {
    let (mut parts, body) = response.into_parts();
    // Our bodies are in memory; reading one cannot fail.
    let Ok(bytes) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Response::from_parts(parts, Body::empty());
    };
    if !parts.headers.contains_key(header::CONTENT_TYPE) {
        return Response::from_parts(parts, Body::from(bytes));
    }
    let reads = *method == Method::GET || *method == Method::HEAD;
    if let Some(tag) = tag_of(&bytes) {
        if reads && parts.status == StatusCode::OK && is_fresh(request, &tag) {
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_TYPE);
            parts.headers.insert(header::ETAG, tag);
            return Response::from_parts(parts, Body::empty());
        }
        parts.headers.insert(header::ETAG, tag);
    }
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let body = if *method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    Response::from_parts(parts, body)
}

/// `W/"<length in hex>-<27 characters of base64 SHA-256>"`.
fn tag_of(bytes: &[u8]) -> Option<HeaderValue> {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, bytes));
    let hash = hash.get(..27)?;
    HeaderValue::from_str(&format!("W/\"{:x}-{hash}\"", bytes.len())).ok()
}

/// Whether the client has this already: RFC 9110's weak comparison; `Cache-Control: no-cache` asks anew, as Express has it.
fn is_fresh(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let text = |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::CACHE_CONTROL).is_some_and(|control| control.split(',').any(|part| part.trim() == "no-cache")) {
        return false;
    }
    let (Some(wanted), Ok(tag)) = (text(header::IF_NONE_MATCH), tag.to_str()) else { return false };
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    wanted.trim() == "*" || wanted.split(',').any(|candidate| opaque(candidate) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Response {
        let mut response = Response::new(Body::from("{\"a\":1}"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    #[tokio::test]
    async fn a_known_tag_is_answered_304_only_where_reading_succeeded() {
        let tag = apply(answer(200), &Method::GET, &HeaderMap::new()).await.headers()[header::ETAG].clone();
        let strong = tag.to_str().unwrap().trim_start_matches("W/").to_owned();
        for (name, method, status, wanted, control, answered) in [
            ("same", Method::GET, 200, tag.to_str().unwrap(), "", 304),
            ("strong form", Method::GET, 200, strong.as_str(), "", 304),
            ("in a list", Method::HEAD, 200, &format!("\"x\", {strong}"), "", 304),
            ("star", Method::GET, 200, "*", "", 304),
            ("other", Method::GET, 200, "W/\"nope\"", "", 200),
            ("reload", Method::GET, 200, "*", "no-cache", 200),
            ("write", Method::POST, 200, "*", "", 200),
            ("failure", Method::GET, 401, "*", "", 401),
        ] {
            let request = HeaderMap::from_iter([
                (header::IF_NONE_MATCH, HeaderValue::from_str(wanted).unwrap()),
                (header::CACHE_CONTROL, HeaderValue::from_str(control).unwrap()),
            ]);
            let response = apply(answer(status), &method, &request).await;
            assert_eq!(response.status().as_u16(), answered, "{name}");
            assert_eq!(response.headers()[header::ETAG], tag, "{name}");
            assert_eq!(response.headers().contains_key(header::CONTENT_TYPE), answered != 304, "{name}");
        }
    }

    #[tokio::test]
    async fn head_tells_the_length_and_sends_nothing() {
        let response = apply(answer(200), &Method::HEAD, &HeaderMap::new()).await;
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "7");
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

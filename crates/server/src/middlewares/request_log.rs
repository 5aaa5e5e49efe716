//! One line a request. It holds no query string, no address, no header: ids and words of ours.

use std::time::Duration;

use http::{Method, StatusCode};

/// Writes the line. `route` is the matched pattern, or the path where none matched. `/health` is asked every few seconds
/// by whoever watches the process and goes to `debug`.
pub fn write(method: &Method, route: &str, status: StatusCode, took: Duration, request_id: &str) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let status = status.as_u16();
    if route.starts_with("/health") {
        tracing::debug!(
            request.id = request_id, http.method = %method, http.path = route, http.status = status, duration_ms,
            "{method} {route} {status}"
        );
        return;
    }
    tracing::info!(
        request.id = request_id, http.method = %method, http.path = route, http.status = status, duration_ms,
        "{method} {route} {status}"
    );
}

//! What `twilio` and `webhook` share: an HTTP client that follows nothing, and failures by class.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use chrono::DateTime;
use cr_types::timestamp::Timestamp;
use reqwest::header::RETRY_AFTER;
use reqwest::{Certificate, Client, Response, Url, redirect};

use crate::delivery::retry::Failure;
use crate::providers::notification::{OptionProblem, read_ca_file};

/// From connecting to the end of the answer's header.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Name resolution, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// A client that follows no redirect (a message with a code must not go where nobody configured) and reads no proxy from
/// the environment (configuration has one place).
pub(super) fn client(ca_file: Option<&Path>) -> Result<Client, OptionProblem> {
    install_crypto();
    let mut builder = Client::builder()
        .user_agent(concat!("customer-registration/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT);
    if let Some(path) = ca_file {
        let certificates = Certificate::from_pem_bundle(&read_ca_file(path)?)
            .map_err(|_| ("options.caFile", format!("{} is no PEM file of certificates", path.display())))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| ("options", format!("No HTTP client can be made: {error}")))
}

/// Makes sure that TLS has its cryptography; the first caller in the process decides which, and there is but one.
fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
            tracing::debug!("TLS cryptography was installed already");
        }
    });
}

/// An absolute `http` or `https` address; `key` is the option's.
pub(super) fn address(text: &str, key: &'static str) -> Result<Url, OptionProblem> {
    let usable = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    usable.ok_or_else(|| (key, "Must be an absolute http:// or https:// address".to_owned()))
}

/// 2xx is delivered; everything else by its status, with `Retry-After`.
pub(super) fn outcome(answer: Result<Response, reqwest::Error>, now: Timestamp) -> Result<(), Failure> {
    match refusal(&self::answer(answer)?, now) {
        None => Ok(()),
        Some(Refused { status, retry_after }) => Err(Failure::Http { status, retry_after }),
    }
}

/// An answer that is no 2xx.
pub(super) struct Refused {
    /// The status.
    pub(super) status: u16,
    /// Seconds to wait, if the answer said so.
    pub(super) retry_after: Option<i64>,
}

/// The answer, if one came.
///
/// # Errors
/// The class of why none did.
pub(super) fn answer(answer: Result<Response, reqwest::Error>) -> Result<Response, Failure> {
    answer.map_err(|error| failure(&error))
}

/// What an answer refuses; `None` for 2xx.
pub(super) fn refusal(response: &Response, now: Timestamp) -> Option<Refused> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Some(Refused { status: status.as_u16(), retry_after: header.and_then(|value| retry_after(value, now)) })
}

/// A body of at most so many bytes; `None` when it is longer or breaks off. What is too much is not even received.
pub(super) async fn read_up_to(mut response: Response, bytes: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > bytes {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// The class of a request that got no answer.
fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::Timeout;
    }
    if error.is_builder() { Failure::Unsendable } else { Failure::Connection }
}

/// Seconds from a `Retry-After` header: a number, or a date (RFC 9110, section 10.2.3).
fn retry_after(value: &str, now: Timestamp) -> Option<i64> {
    if let Ok(seconds) = value.trim().parse::<i64>() {
        return Some(seconds.max(0));
    }
    let moment = DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some(Timestamp::new(moment.to_utc()).seconds_after(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-01-02T03:04:05.000Z".parse().unwrap();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("-3", Some(0)),
            ("Fri, 02 Jan 2026 03:05:05 GMT", Some(60)),
            ("Fri, 02 Jan 2026 03:00:00 GMT", Some(0)),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds, "{value}");
        }
    }
}

//! Provider `webhook`: posts the message to the operator's own endpoint, signed by the Standard Webhooks scheme.
//!
//! Any 2xx is delivered. The endpoint sees the code, so the address should be https or loopback.

use std::path::PathBuf;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::delivery::retry::Failure;
use crate::providers::notification::{NotificationProvider, OptionProblem, Outgoing, Sending, web};

/// `options` of a `webhook` provider.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// Where to post; may hold a token, so it is secret.
    pub url: SecretString,
    /// `whsec_` and base64, or any text, taken as it is.
    pub secret: SecretString,
    /// PEM file of root certificates to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// The provider.
pub struct Webhook {
    client: Client,
    endpoint: Endpoint,
}

/// Where signed posts go.
pub(super) struct Endpoint {
    url: Url,
    key: hmac::Key,
}

impl Endpoint {
    /// Reads address and secret.
    ///
    /// # Errors
    /// The option's key and what is wrong with it.
    pub(super) fn new(url: &str, secret: &str) -> Result<Self, OptionProblem> {
        Ok(Self { url: web::address(url, "options.url")?, key: signing_key(secret)? })
    }

    /// Posts a body with the headers of Standard Webhooks. The id is the message's, so that a repeat can be told.
    pub(super) async fn post(&self, client: &Client, message: Outgoing<'_>, body: String) -> Result<(), Failure> {
        let timestamp = message.now.seconds().to_string();
        let request = client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", signature(&self.key, message.id, &timestamp, &body))
            .header("idempotency-key", message.idempotency_key)
            .body(body);
        web::outcome(request.send().await, message.now)
    }
}

impl Webhook {
    /// Makes the provider and connects nowhere.
    pub(super) fn new(options: &WebhookOptions) -> Result<Self, OptionProblem> {
        Ok(Self {
            endpoint: Endpoint::new(options.url.expose_secret(), options.secret.expose_secret())?,
            client: web::client(options.ca_file.as_deref())?,
        })
    }
}

impl NotificationProvider for Webhook {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(self.endpoint.post(&self.client, message, body(message)))
    }
}

/// Shape: `{"type":"notification.send","timestamp","data":{"to","channel","template","subject","content":{"html","text"},
/// "data":{variables},"trigger_type","receiver_id","idempotency_key"}}`. `timestamp` is when it was enqueued, so that a
/// repeat has the same body.
fn body(message: Outgoing<'_>) -> String {
    json!({
        "type": "notification.send",
        "timestamp": message.created_at,
        "data": {
            "to": message.to,
            "channel": message.channel,
            "template": message.template,
            "subject": message.subject,
            "content": { "html": message.html, "text": message.text },
            "data": message.data,
            "trigger_type": message.trigger_type,
            "receiver_id": message.receiver_id,
            "idempotency_key": message.idempotency_key,
        },
    })
    .to_string()
}

/// The key in a secret: what `whsec_` carries, or the text's own bytes (Standard Webhooks, "Signature scheme").
fn signing_key(secret: &str) -> Result<hmac::Key, OptionProblem> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD_NO_PAD
            .decode(encoded.trim_end_matches('='))
            .map_err(|_| ("options.secret", "What follows whsec_ must be base64".to_owned()))?,
        None => secret.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err(("options.secret", "Must not be empty".to_owned()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
fn signature(key: &hmac::Key, id: &str, timestamp: &str, body: &str) -> String {
    let tag = hmac::sign(key, format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification, section "Signature scheme".
    #[test]
    fn signature_is_the_one_of_the_specification() {
        let key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_secret_that_is_no_base64_is_refused_by_its_key() {
        for secret in ["whsec_!!", "whsec_", ""] {
            assert_eq!(signing_key(secret).unwrap_err().0, "options.secret", "{secret}");
        }
        assert!(signing_key("a plain text").is_ok());
    }
}

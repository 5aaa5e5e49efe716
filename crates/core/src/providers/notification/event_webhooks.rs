//! Who takes events: posts each to its receiver of `events.webhooks`, in the frame and with the signature of provider
//! [`super::webhook`].
//!
//! A row names its receiver by address; the secret comes from the configuration at the time of sending and is never stored.

use std::collections::BTreeMap;

use reqwest::Client;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::delivery::retry::Failure;
use crate::options::EventWebhook;
use crate::providers::notification::webhook::Endpoint;
use crate::providers::notification::{NotificationProvider, Outgoing, ProviderProblem, Sending, web};

/// All receivers, by address.
pub(super) struct EventWebhooks {
    client: Client,
    endpoints: BTreeMap<String, Endpoint>,
}

impl EventWebhooks {
    /// Reads addresses and secrets; connects nowhere.
    ///
    /// # Errors
    /// Every receiver without sense, by its index.
    pub(super) fn new(webhooks: &[EventWebhook]) -> Result<Self, Vec<ProviderProblem>> {
        let mut problems = Vec::new();
        let mut endpoints = BTreeMap::new();
        for (index, webhook) in webhooks.iter().enumerate() {
            match Endpoint::new(&webhook.url, webhook.secret.expose_secret()) {
                Ok(endpoint) => drop(endpoints.insert(webhook.url.clone(), endpoint)),
                Err((key, message)) => {
                    let key = if key == "options.url" { "url" } else { "secret" };
                    problems.push(ProviderProblem { index, key, message });
                }
            }
        }
        let client = match web::client(None) {
            Ok(client) => client,
            Err((_, message)) => return Err(vec![ProviderProblem { index: 0, key: "url", message }]),
        };
        if problems.is_empty() { Ok(Self { client, endpoints }) } else { Err(problems) }
    }

    /// Posts one event. A receiver that is not configured any more is waited for, as a channel without a provider is.
    async fn post(&self, message: Outgoing<'_>) -> Result<(), Failure> {
        let endpoint = self.endpoints.get(message.to).ok_or(Failure::NoProvider)?;
        let data: Value = serde_json::from_str(message.text).map_err(|_| Failure::Unreadable)?;
        let body = json!({ "type": message.trigger_type, "timestamp": message.created_at, "data": data });
        endpoint.post(&self.client, message, body.to_string()).await
    }
}

impl NotificationProvider for EventWebhooks {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(self.post(message))
    }
}

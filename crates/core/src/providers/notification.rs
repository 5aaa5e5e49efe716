//! Notification providers: what takes a rendered message to its recipient. Each channel has at most one.
//!
//! A provider sends one message once and says by class what went wrong. Whether to try again is
//! [`crate::delivery::retry`]'s; so there is no retry in here, and no database.

pub mod event_webhooks;
pub mod local;
pub mod smtp;
mod smtp_url;
pub mod twilio;
mod web;
pub mod webhook;

use std::collections::BTreeMap;
use std::pin::Pin;

use cr_types::timestamp::Timestamp;

use crate::delivery::retry::Failure;
use crate::events::EVENT_CHANNEL;
use crate::options::EventWebhook;
use crate::providers::notification::event_webhooks::EventWebhooks;
use crate::providers::notification::local::LocalInbox;
use crate::providers::notification::smtp::{Smtp, SmtpOptions};
use crate::providers::notification::twilio::{Twilio, TwilioOptions};
use crate::providers::notification::webhook::{Webhook, WebhookOptions};

/// A message on its way out. No `Debug`: it holds a contact and mostly a code.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The outbox row's id; the same at every attempt.
    pub id: &'a str,
    /// Notification channel.
    pub channel: &'a str,
    /// E-mail address or E.164 phone number.
    pub to: &'a str,
    /// The mail's subject.
    pub subject: Option<&'a str>,
    /// The mail's HTML part.
    pub html: Option<&'a str>,
    /// The mail's text part, or the text message.
    pub text: &'a str,
    /// The variables that it was rendered from.
    pub data: &'a BTreeMap<String, String>,
    /// Name of the template.
    pub template: &'a str,
    /// OTP purpose or event.
    pub trigger_type: &'a str,
    /// The customer, if there is one.
    pub receiver_id: Option<&'a str>,
    /// For the receiving side to recognise a repeat by.
    pub idempotency_key: &'a str,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When this attempt began.
    pub now: Timestamp,
}

/// What a send answers with.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// Something that sends.
pub trait NotificationProvider: Send + Sync {
    /// Sends one message, once, within this provider's own time limit.
    ///
    /// # Errors
    /// The class of what went wrong, without anything that the other side said.
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a>;
}

/// One entry of `notification.providers`, checked for types but not for sense.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The provider's `id`, for messages.
    pub id: String,
    /// The channels that it serves.
    pub channels: Vec<String>,
    /// Its kind and `options`.
    pub options: ProviderOptions,
}

/// A provider's kind with its own options.
#[derive(Clone, Debug)]
pub enum ProviderOptions {
    /// Keeps messages in memory; development only, which the configuration sees to.
    Local,
    /// A mail server.
    Smtp(SmtpOptions),
    /// Twilio, or what speaks its Messages API.
    Twilio(TwilioOptions),
    /// The operator's own endpoint.
    Webhook(WebhookOptions),
}

/// What is wrong with a provider's settings, for the list of start errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderProblem {
    /// Index in `notification.providers`.
    pub index: usize,
    /// The key below the entry, such as `options.url` or `channels`.
    pub key: &'static str,
    /// A sentence; never the value, which may be secret.
    pub message: String,
}

/// The providers in use, by channel.
pub struct Providers {
    all: Vec<Box<dyn NotificationProvider>>,
    /// Channel and index into `all`.
    routes: BTreeMap<String, usize>,
    inbox: Option<LocalInbox>,
}

impl Providers {
    /// Makes all providers. Opens no connection.
    ///
    /// # Errors
    /// Every problem at once: options without sense, a CA file that cannot be read, a channel with two providers.
    pub fn build(settings: &[ProviderSettings]) -> Result<Self, Vec<ProviderProblem>> {
        let mut providers = Self { all: Vec::new(), routes: BTreeMap::new(), inbox: None };
        let mut problems = Vec::new();
        for (index, entry) in settings.iter().enumerate() {
            match providers.make(&entry.options) {
                Ok(provider) => providers.all.push(provider),
                Err((key, message)) => problems.push(ProviderProblem { index, key, message }),
            }
            for channel in &entry.channels {
                if providers.routes.insert(channel.clone(), providers.all.len().saturating_sub(1)).is_some() {
                    let message = format!("Multiple providers are configured for the same channel: {channel}");
                    problems.push(ProviderProblem { index, key: "channels", message });
                }
            }
        }
        if problems.is_empty() { Ok(providers) } else { Err(problems) }
    }

    /// The same with the receivers of events, which have a channel of their own.
    ///
    /// # Errors
    /// The index in `events.webhooks`, the key below it and a sentence, for each that has no sense.
    pub fn with_events(mut self, webhooks: &[EventWebhook]) -> Result<Self, Vec<ProviderProblem>> {
        if !webhooks.is_empty() {
            self.all.push(Box::new(EventWebhooks::new(webhooks)?));
            self.routes.insert(EVENT_CHANNEL.to_owned(), self.all.len().saturating_sub(1));
        }
        Ok(self)
    }

    /// The provider of a channel.
    pub fn route(&self, channel: &str) -> Option<&dyn NotificationProvider> {
        self.routes.get(channel).and_then(|index| self.all.get(*index)).map(Box::as_ref)
    }

    /// Whether a channel has a provider.
    pub fn serves(&self, channel: &str) -> bool {
        self.routes.contains_key(channel)
    }

    /// The inbox of the `local` provider, where there is one.
    pub fn inbox(&self) -> Option<&LocalInbox> {
        self.inbox.as_ref()
    }

    /// Makes one provider; several `local` ones share one inbox.
    fn make(&mut self, options: &ProviderOptions) -> Result<Box<dyn NotificationProvider>, OptionProblem> {
        Ok(match options {
            ProviderOptions::Local => Box::new(self.inbox.get_or_insert_with(LocalInbox::default).clone()),
            ProviderOptions::Smtp(options) => Box::new(Smtp::new(options)?),
            ProviderOptions::Twilio(options) => Box::new(Twilio::new(options)?),
            ProviderOptions::Webhook(options) => Box::new(Webhook::new(options)?),
        })
    }
}

/// The key and the sentence of what is wrong with one provider's options.
type OptionProblem = (&'static str, String);

/// Reads a PEM file of extra root certificates.
fn read_ca_file(path: &std::path::Path) -> Result<Vec<u8>, OptionProblem> {
    std::fs::read(path).map_err(|error| ("options.caFile", format!("{} cannot be read: {error}", path.display())))
}

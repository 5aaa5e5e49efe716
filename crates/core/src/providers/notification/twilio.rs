//! Provider `twilio`: text messages through Twilio's Messages API, or whatever speaks it under another base address.

use std::path::PathBuf;

use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::delivery::retry::Failure;
use crate::providers::notification::{NotificationProvider, OptionProblem, Outgoing, Sending, web};

/// `options` of a `twilio` provider.
#[derive(Clone, Debug)]
pub struct TwilioOptions {
    /// `AC…`.
    pub account_sid: String,
    /// The account's token.
    pub auth_token: SecretString,
    /// A phone number, a sender's name, or a messaging service (`MG…`).
    pub from: String,
    /// `https://api.twilio.com`, or what stands in for it.
    pub base_url: String,
    /// PEM file of root certificates to trust besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// The provider.
pub struct Twilio {
    client: Client,
    url: Url,
    account_sid: String,
    auth_token: SecretString,
    from: String,
}

impl Twilio {
    /// Makes the provider and connects nowhere.
    pub(super) fn new(options: &TwilioOptions) -> Result<Self, OptionProblem> {
        let sid = &options.account_sid;
        if sid.is_empty() || !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(("options.accountSid", "Must be letters and digits".to_owned()));
        }
        if options.from.trim().is_empty() {
            return Err(("options.from", "Must not be empty".to_owned()));
        }
        web::address(&options.base_url, "options.baseUrl")?;
        let base = options.base_url.trim_end_matches('/');
        Ok(Self {
            url: web::address(&format!("{base}/2010-04-01/Accounts/{sid}/Messages.json"), "options.baseUrl")?,
            client: web::client(options.ca_file.as_deref())?,
            account_sid: sid.clone(),
            auth_token: options.auth_token.clone(),
            from: options.from.trim().to_owned(),
        })
    }

    /// Posts one message as a form: `To`, `From` (or `MessagingServiceSid`), `Body`.
    async fn post(&self, message: Outgoing<'_>) -> Result<(), Failure> {
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let request = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.account_sid, Some(self.auth_token.expose_secret()))
            .header("idempotency-key", message.idempotency_key)
            .form(&[("To", message.to), (sender, &self.from), ("Body", message.text)]);
        web::outcome(request.send().await, message.now)
    }
}

impl NotificationProvider for Twilio {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(self.post(message))
    }
}

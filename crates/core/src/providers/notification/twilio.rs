//! Provider `twilio`: text messages through Twilio's Messages API, or whatever speaks it under another base address.
//!
//! The status of an answer decides whether a message is tried again. Twilio's own error code is kept for the log and
//! `last_error`, since Twilio asks not to build rules on codes that it keeps changing. Twilio documents no idempotency for this
//! call: a repeat has the same token in its headers, and where that is not honoured, an answer that got lost means that a
//! message may arrive twice.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::delivery::retry::Failure;
use crate::providers::notification::web::{self, Refused};
use crate::providers::notification::{NotificationProvider, OptionProblem, Outgoing, Sending};

/// The end of a send, to the last byte of the answer that is read.
pub const TWILIO_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a refusal that are read at most; Twilio's have some two hundred.
const REFUSAL_BYTES: usize = 16 * 1024;

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
    /// How long a send may take; [`TWILIO_TIMEOUT`] but in tests.
    pub timeout: Duration,
}

/// The provider.
pub struct Twilio {
    client: Client,
    url: Url,
    account_sid: String,
    auth_token: SecretString,
    from: String,
    timeout: Duration,
}

/// What is read of a refusal: `{"code":21211,"message":"…","more_info":"…","status":400}`. The message repeats the number.
#[derive(Deserialize)]
struct Refusal {
    code: Option<u32>,
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
            timeout: options.timeout,
        })
    }

    /// Posts one message as a form: `To`, `From` (or `MessagingServiceSid`), `Body`.
    async fn post(&self, message: Outgoing<'_>) -> Result<(), Failure> {
        let sender = if is_messaging_service(&self.from) { "MessagingServiceSid" } else { "From" };
        let request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .basic_auth(&self.account_sid, Some(self.auth_token.expose_secret()))
            .header("idempotency-key", message.idempotency_key)
            .header("i-twilio-idempotency-token", message.idempotency_key)
            .form(&[("To", message.to), (sender, &self.from), ("Body", message.text)]);
        let response = web::answer(request.send().await)?;
        match web::refusal(&response, message.now) {
            None => Ok(()),
            Some(Refused { status, retry_after }) => Err(match code(response).await {
                Some(code) => Failure::TextMessage { status, code, retry_after },
                None => Failure::Http { status, retry_after },
            }),
        }
    }
}

/// `MG` and 32 hexadecimal digits; a sender's name may begin with the same letters.
fn is_messaging_service(from: &str) -> bool {
    from.strip_prefix("MG").is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Twilio's code in a refusal, if there is one within [`REFUSAL_BYTES`].
async fn code(response: Response) -> Option<u32> {
    let body = web::read_up_to(response, REFUSAL_BYTES).await?;
    serde_json::from_slice::<Refusal>(&body).ok()?.code
}

impl NotificationProvider for Twilio {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(self.post(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_a_messaging_service_by_its_form() {
        for (from, is_service) in [
            ("MG0123456789abcdef0123456789ABCDEF", true),
            ("MG0123456789abcdef0123456789abcde", false),
            ("MGSTORE", false),
            ("+15550001111", false),
            ("Shop", false),
        ] {
            assert_eq!(is_messaging_service(from), is_service, "{from}");
        }
    }

    #[test]
    fn options_without_sense_are_told_by_their_key() {
        let good = TwilioOptions {
            account_sid: "AC0123456789abcdef0123456789abcdef".to_owned(),
            auth_token: SecretString::from("token".to_owned()),
            from: "+15550001111".to_owned(),
            base_url: "https://api.twilio.com".to_owned(),
            ca_file: None,
            timeout: TWILIO_TIMEOUT,
        };
        let url = |base: &str| TwilioOptions { base_url: base.to_owned(), ..good.clone() };
        let sid = |sid: &str| TwilioOptions { account_sid: sid.to_owned(), ..good.clone() };
        for (options, key) in [
            (good.clone(), None),
            (url("https://gateway.example.com/twilio/"), None),
            (sid(""), Some("options.accountSid")),
            (sid("AC1/../../x"), Some("options.accountSid")),
            (TwilioOptions { from: " ".to_owned(), ..good.clone() }, Some("options.from")),
            (url("api.twilio.com"), Some("options.baseUrl")),
            (url("ftp://api.twilio.com"), Some("options.baseUrl")),
        ] {
            let made = Twilio::new(&options);
            assert_eq!(made.as_ref().err().map(|(key, _)| *key), key, "{options:?}");
            if let Ok(twilio) = made {
                assert!(
                    twilio.url.path().ends_with(&format!("/2010-04-01/Accounts/{}/Messages.json", options.account_sid))
                );
            }
        }
    }
}

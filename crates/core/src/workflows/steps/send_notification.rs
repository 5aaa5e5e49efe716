//! Step `send-notification`: the code's row, and the message's in the outbox. Who sends it is the delivery worker, after the commit.

use std::collections::BTreeMap;

use cr_db::models::otp_verification::OtpVerification;

use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue_with_code};
use crate::error::Error;

/// A message with a code, or for nobody.
pub struct Notification<'a> {
    /// Its template.
    pub kind: MessageKind,
    /// The notification channel.
    pub channel: &'a str,
    /// What caused it: the OTP's purpose.
    pub trigger_type: &'static str,
    /// The template's values.
    pub variables: BTreeMap<&'static str, String>,
    /// The contact; or why nobody gets it, for the developer's log.
    pub to: Result<&'a str, &'static str>,
    /// The customer.
    pub receiver_id: Option<&'a str>,
    /// The code: it replaces the live one of its subject and purpose, and the message is of use as long as it is.
    pub otp: &'a OtpVerification,
}

impl Notification<'_> {
    /// Files code and message, or a message like it that nobody gets, at the same cost.
    ///
    /// # Errors
    /// When the template does not render, or a statement fails.
    pub async fn send(self, cx: &mut Ctx) -> Result<(), Error> {
        cx.step("send-notification")?;
        let key = self.otp.id.as_str();
        let message = Message {
            kind: self.kind,
            channel: self.channel.to_owned(),
            to: self.to.unwrap_or("nobody").to_owned(),
            variables: self.variables,
            trigger_type: self.trigger_type.to_owned(),
            receiver_id: self.receiver_id.map(ToOwned::to_owned),
            expires_at: Some(self.otp.expires_at),
            idempotency_key: key.to_owned(),
        };
        if let (Err(reason), false) = (self.to, cx.shared.options.production) {
            tracing::info!(otp.id = key, "Nothing was sent for {key}: {reason}");
        }
        enqueue_with_code(cx, message, self.to.is_err(), self.otp).await
    }
}

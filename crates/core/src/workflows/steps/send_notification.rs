//! Step `send-notification`: the message's row in the outbox. Who sends it is the delivery worker, after the commit.

use std::collections::BTreeMap;

use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::delivery::message::{Message, MessageKind, enqueue, enqueue_nothing};
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
    /// When it becomes useless.
    pub expires_at: Timestamp,
    /// A second message under the same key is not written.
    pub idempotency_key: &'a str,
}

impl Notification<'_> {
    /// Files the message, or one like it that nobody gets, at the same cost.
    ///
    /// # Errors
    /// When the template does not render, or a statement fails.
    pub async fn send(self, cx: &mut Ctx) -> Result<(), Error> {
        cx.step("send-notification")?;
        let message = Message {
            kind: self.kind,
            channel: self.channel.to_owned(),
            to: self.to.unwrap_or("nobody").to_owned(),
            variables: self.variables,
            trigger_type: self.trigger_type.to_owned(),
            receiver_id: self.receiver_id.map(ToOwned::to_owned),
            expires_at: Some(self.expires_at),
            idempotency_key: self.idempotency_key.to_owned(),
        };
        match self.to {
            Ok(_) => enqueue(cx, message).await,
            Err(reason) => {
                if !cx.shared.options.production {
                    let key = self.idempotency_key;
                    tracing::info!(otp.id = key, "Nothing was sent for {key}: {reason}");
                }
                enqueue_nothing(cx, message).await
            }
        }
    }
}

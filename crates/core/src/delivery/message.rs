//! Putting a message into the outbox, within the caller's transaction. Nothing is sent here.

use std::collections::BTreeMap;

use cr_db::models::cr_outbox::{self, NewOutboxMessage};
use cr_db::models::otp_verification::{self, OtpVerification};
use cr_types::ids;
use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::delivery::payload::Payload;
use crate::delivery::template::Templates;
use crate::error::Error;
use crate::keys::Seal;

/// The channel of a message that nobody shall get; no provider may serve it.
pub const NOBODY: &str = "none";

/// What a message says; each kind has its own template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// A code that proves an e-mail address.
    EmailVerification,
    /// A code that proves a phone number.
    PhoneVerification,
    /// A link that sets a new password.
    PasswordReset,
    /// A code that confirms the wish to delete the account.
    AccountDeletionRequest,
    /// A code that takes that wish back.
    AccountDeletionCancel,
    /// To every proven contact: the account will be deleted, when, and how to stop it.
    AccountDeletionNotice,
    /// To every proven contact: one was added or replaced.
    ContactChangeNotice,
    /// To the customer: the password was changed.
    PasswordChangedNotice,
}

impl MessageKind {
    /// Each kind once.
    pub const ALL: [Self; 8] = [
        Self::EmailVerification,
        Self::PhoneVerification,
        Self::PasswordReset,
        Self::AccountDeletionRequest,
        Self::AccountDeletionCancel,
        Self::AccountDeletionNotice,
        Self::ContactChangeNotice,
        Self::PasswordChangedNotice,
    ];

    /// The name of the template, stored with the row; mostly that of its option section.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PhoneVerification => "phone_verification",
            Self::PasswordReset => "password_reset",
            Self::AccountDeletionRequest => "account_deletion_request",
            Self::AccountDeletionCancel => "account_deletion_cancel",
            Self::AccountDeletionNotice => "account_deletion_notice",
            Self::ContactChangeNotice => "contact_change_notice",
            Self::PasswordChangedNotice => "password_changed_notice",
        }
    }
}

/// A message as a workflow asks for it.
///
/// No `Debug`: it holds a contact and mostly a code.
#[derive(Clone)]
pub struct Message {
    /// What it says.
    pub kind: MessageKind,
    /// Notification channel, such as `email` or `sms`.
    pub channel: String,
    /// E-mail address or E.164 phone number.
    pub to: String,
    /// Values for the template; which names it knows is [`Templates::variables`].
    pub variables: BTreeMap<&'static str, String>,
    /// OTP purpose or event.
    pub trigger_type: String,
    /// The customer, if there is one.
    pub receiver_id: Option<String>,
    /// After this moment the message is not sent any more.
    pub expires_at: Option<Timestamp>,
    /// A second message under the same key is not written.
    pub idempotency_key: String,
}

/// Renders and seals the message and writes its row in the transaction of `cx`. It goes out after the commit; when the
/// transaction rolls back, it never existed.
///
/// # Errors
/// 500 when the template does not render, or the database's.
pub async fn enqueue(cx: &mut Ctx, message: Message) -> Result<(), Error> {
    let channel = message.channel.clone();
    write(cx, Sealed::new(cx, message, &channel)?).await
}

/// Does all that [`enqueue`] does, at the same cost, for a message that nobody gets: so that an unknown account takes as
/// long as a known one. `like` is the message that a known account would have got.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_nothing(cx: &mut Ctx, like: Message) -> Result<(), Error> {
    write(cx, Sealed::new(cx, like, NOBODY)?).await
}

/// As [`enqueue`], or [`enqueue_nothing`] where nobody gets it, in one with the row of the code that the message carries.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_with_code(
    cx: &mut Ctx,
    message: Message,
    is_for_nobody: bool,
    otp: &OtpVerification,
) -> Result<(), Error> {
    let channel = message.channel.clone();
    let sealed = Sealed::new(cx, message, if is_for_nobody { NOBODY } else { &channel })?;
    let written = otp_verification::replace_with_message(&mut cx.tx, otp, &sealed.row(cx.now)).await?;
    note(cx, written, &sealed.idempotency_key);
    Ok(())
}

/// Writes the row.
async fn write(cx: &mut Ctx, sealed: Sealed) -> Result<(), Error> {
    let written = cr_outbox::insert(&mut cx.tx, &sealed.row(cx.now)).await?;
    note(cx, written, &sealed.idempotency_key);
    Ok(())
}

/// Remembers that there is work for the worker, or says that there was already.
fn note(cx: &mut Ctx, written: bool, key: &str) {
    cx.has_message |= written;
    if !written {
        tracing::debug!(outbox.idempotency_key = key, "A message under this key is queued already");
    }
}

/// A message, rendered and sealed under its id.
struct Sealed {
    id: String,
    channel: String,
    payload: String,
    kind: MessageKind,
    trigger_type: String,
    receiver_id: Option<String>,
    expires_at: Option<Timestamp>,
    idempotency_key: String,
}

impl Sealed {
    /// Renders for the message's own channel and seals it for `channel`.
    ///
    /// # Errors
    /// When the template does not render.
    fn new(cx: &Ctx, message: Message, channel: &str) -> Result<Self, Error> {
        let Message {
            kind,
            channel: rendered_for,
            to,
            variables,
            trigger_type,
            receiver_id,
            expires_at,
            idempotency_key,
        } = message;
        let templates = Templates::of(&cx.shared);
        let variables = Templates::complete(kind, variables, expires_at);
        let rendered = templates.render(kind, &rendered_for, &variables).map_err(Error::internal)?;
        let data = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let payload = Payload { to, subject: rendered.subject, html: rendered.html, text: rendered.text, data };
        let plain = serde_json::to_vec(&payload).map_err(Error::internal)?;
        let id = ids::generate("msg", cx.now, cx.bytes());
        let payload = cx.shared.keys.seal(Seal::Outbox, &id, &plain);
        let channel = channel.to_owned();
        Ok(Self { id, channel, payload, kind, trigger_type, receiver_id, expires_at, idempotency_key })
    }

    /// What is written of it.
    fn row(&self, now: Timestamp) -> NewOutboxMessage<'_> {
        NewOutboxMessage {
            id: &self.id,
            channel: &self.channel,
            payload: &self.payload,
            template: self.kind.as_str(),
            trigger_type: &self.trigger_type,
            receiver_id: self.receiver_id.as_deref(),
            idempotency_key: &self.idempotency_key,
            expires_at: self.expires_at,
            now,
        }
    }
}

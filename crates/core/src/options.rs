//! The plugin's options, with its names and defaults, already checked: what the rules read.
//!
//! Reading files and the environment, and telling what is wrong where, is the server's `config`.

use std::path::PathBuf;

use cr_types::timestamp::Timestamp;
use secrecy::SecretString;

/// Which credential a registration or a login takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// Either (login), or one after the other (registration).
    Both,
}

impl Identifier {
    /// Whether a credential on this channel is taken.
    pub fn takes(self, contact: ContactType) -> bool {
        matches!(
            (self, contact),
            (Self::Both, _) | (Self::Email, ContactType::Email) | (Self::Phone, ContactType::Phone)
        )
    }
}

/// One of the two contacts that a customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactType {
    /// `email`, provider `emailpass`.
    Email,
    /// `phone`, provider `phonepass`.
    Phone,
}

impl ContactType {
    /// `email` or `phone`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// `Email` or `Phone`, as sentences begin.
    pub fn title(self) -> &'static str {
        match self {
            Self::Email => "Email",
            Self::Phone => "Phone",
        }
    }

    /// The auth provider that logs in with this contact.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Email => "emailpass",
            Self::Phone => "phonepass",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Email => Self::Phone,
            Self::Phone => Self::Email,
        }
    }
}

/// The auth providers whose credentials hold our one password. Names are compared with case, as Medusa compares provider ids.
pub const OWNED_PROVIDERS: [&str; 2] = ["emailpass", "phonepass"];

/// Which characters a code is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpCharset {
    /// `0` to `9`.
    Numeric,
    /// Upper-case letters and digits without `0 O 1 I L`, compared without case.
    Alphanumeric,
}

/// Where a template comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// The one compiled in.
    BuiltIn,
    /// A file, absolute by now.
    File(PathBuf),
}

/// `email_verification`, `phone_verification`, `account_deletion_request`, `account_deletion_cancel`.
#[derive(Clone, Debug)]
pub struct OtpSection {
    /// Notification channel, `email`, `sms` or a provider's own word.
    pub channel: String,
    /// The message's template.
    pub template: TemplateSource,
    /// The mail's subject.
    pub subject: String,
    /// Seconds between two sends to one subject; 0: no wait.
    pub resend_throttle_seconds: i64,
    /// Whether creating a customer sends a code at once.
    pub auto_send_on_registration: bool,
}

/// `password_reset`.
#[derive(Clone, Debug)]
pub struct PasswordResetSection {
    /// The mail's template; present when login takes e-mail.
    pub template: Option<TemplateSource>,
    /// The mail's subject.
    pub subject: String,
    /// The text message; present when login takes phone.
    pub sms_body: Option<String>,
}

/// How a deleted account's row is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    /// The row stays, soft-deleted, without personal fields.
    Anonymize,
    /// Medusa's soft delete.
    Soft,
    /// The row goes.
    Hard,
}

/// A notice that nobody asked for: contact changed, password changed.
#[derive(Clone, Debug)]
pub struct NoticeSection {
    /// The mail's template.
    pub template: TemplateSource,
    /// The mail's subject.
    pub subject: String,
    /// Whether it is not sent at all.
    pub disable: bool,
}

/// `password`: the policy. Lengths in bytes, checked before any hashing.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// Fewest bytes.
    pub min_length: usize,
    /// Most bytes.
    pub max_length: usize,
    /// Whether passwords from the list of common ones are refused.
    pub reject_common: bool,
}

/// Which hash new passwords get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordHash {
    /// scrypt-kdf, as Medusa reads and writes it.
    Scrypt,
    /// Argon2id, only where no Medusa reads the rows.
    Argon2id,
}

/// `"N/window"`: at most `count` within `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: i64,
    /// The window in seconds.
    pub seconds: i64,
}

/// A limit: all of these rates hold; none: off.
pub type Limit = Vec<Rate>;

/// `limits`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Wrong codes a subject, purpose and origin.
    pub wrong_codes: Limit,
    /// Sends a subject, purpose and origin.
    pub sends_per_subject: Limit,
    /// Sends a contact, over customers and purposes.
    pub sends_per_destination: Limit,
    /// Sends a client address.
    pub sends_per_address: Limit,
    /// Sends of all by channel: (`sms`, limit), (`email`, limit).
    pub sends_per_channel: Vec<(String, Limit)>,
    /// Calling codes that text messages may go to, without `+`; empty: all.
    pub sms_countries: Vec<String>,
    /// Failed logins an identifier before delays begin.
    pub login_failures: Limit,
    /// Longest delay in seconds after too many failed logins; it doubles from 1.
    pub login_delay: i64,
    /// Failed logins a client address.
    pub login_failures_per_address: Limit,
    /// Registrations a client address.
    pub registrations_per_address: Limit,
    /// Resets a contact.
    pub resets: Limit,
    /// Deletion cancellations asked for, a client address.
    pub cancel_requests_per_address: Limit,
    /// Wrong old passwords a customer.
    pub password_changes: Limit,
    /// Unknown referral codes a client address.
    pub referral_guesses: Limit,
}

/// An element of `events.webhooks`.
#[derive(Clone, Debug)]
pub struct EventWebhook {
    /// Where events are posted to.
    pub url: String,
    /// Signs what is posted.
    pub secret: SecretString,
    /// Names of events; a `*` at the end stands for the rest.
    pub events: Vec<String>,
}

impl EventWebhook {
    /// Whether it asked for an event.
    pub fn wants(&self, name: &str) -> bool {
        self.events.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        })
    }
}

/// Everything under `options`, and what of `projectConfig` and `notification` the rules need.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether `NODE_ENV` is `production`.
    pub production: bool,
    /// Base of links; no trailing slash.
    pub storefront_url: Option<String>,
    /// `registration.identifier`.
    pub registration_identifier: Identifier,
    /// `registration.require_verification`.
    pub require_verification: bool,
    /// Customers created before this moment may log in unverified. `None` until the database told when it was migrated.
    pub verification_since: Option<Timestamp>,
    /// `login.identifier`.
    pub login_identifier: Identifier,
    /// Characters in a code.
    pub otp_length: usize,
    /// The characters themselves.
    pub otp_charset: OtpCharset,
    /// Minutes a code lives.
    pub otp_expiry_minutes: i64,
    /// Wrong codes before an OTP is locked.
    pub max_attempts: i64,
    /// `email_verification`.
    pub email_verification: Option<OtpSection>,
    /// `phone_verification`.
    pub phone_verification: Option<OtpSection>,
    /// `password_reset`.
    pub password_reset: Option<PasswordResetSection>,
    /// `account_deletion_request`.
    pub account_deletion_request: Option<OtpSection>,
    /// `account_deletion_request.scheduled_days`.
    pub scheduled_days: i64,
    /// `account_deletion_request.erasure`.
    pub erasure: Erasure,
    /// `account_deletion_cancel`.
    pub account_deletion_cancel: Option<OtpSection>,
    /// `contact_change_notice`.
    pub contact_change_notice: NoticeSection,
    /// `password_changed_notice`.
    pub password_changed_notice: NoticeSection,
    /// `phone.defaultCountry`, upper-case ISO 3166.
    pub default_country: Option<String>,
    /// `password`.
    pub password: PasswordPolicy,
    /// `passwordHash`.
    pub password_hash: PasswordHash,
    /// `referral.maxLevels`.
    pub referral_max_levels: usize,
    /// `referral.maskContacts`.
    pub referral_mask_contacts: bool,
    /// `limits`.
    pub limits: Limits,
    /// Seconds a login token lives (`http.jwtExpiresIn`).
    pub jwt_expires_in: i64,
    /// `http.authMethodsPerActor`: (actor, providers).
    pub auth_methods_per_actor: Vec<(String, Vec<String>)>,
    /// `events.webhooks`.
    pub event_webhooks: Vec<EventWebhook>,
}

impl Options {
    /// The section that a verification of this contact is configured by.
    pub fn verification(&self, contact: ContactType) -> Option<&OtpSection> {
        match contact {
            ContactType::Email => self.email_verification.as_ref(),
            ContactType::Phone => self.phone_verification.as_ref(),
        }
    }
}

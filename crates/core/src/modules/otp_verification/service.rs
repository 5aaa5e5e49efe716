//! Making a code in the caller's transaction. What counts guesses is in [`super::guess`].

use cr_db::models::otp_verification::{self, OtpVerification};
use cr_types::ids::{CustomerId, OtpId};
use cr_types::timestamp::Timestamp;

use crate::code;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::Keys;
use crate::modules::auth::token::{self, OtpKind, OtpToken};
use crate::options::ContactType;

/// What a code is for; the plugin's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpPurpose {
    /// `email_verification`.
    EmailVerification,
    /// `phone_verification`.
    PhoneVerification,
    /// `account_deletion_request`.
    AccountDeletionRequest,
    /// `account_deletion_cancel`.
    AccountDeletionCancel,
}

impl OtpPurpose {
    /// The word in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmailVerification => "email_verification",
            Self::PhoneVerification => "phone_verification",
            Self::AccountDeletionRequest => "account_deletion_request",
            Self::AccountDeletionCancel => "account_deletion_cancel",
        }
    }

    /// The verification of a contact.
    pub fn of_contact(contact: ContactType) -> Self {
        match contact {
            ContactType::Email => Self::EmailVerification,
            ContactType::Phone => Self::PhoneVerification,
        }
    }
}

/// Who asked for a code: what its throttle, its limits and its replacement are keyed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Somebody with a bearer token of the customer's own identity.
    Bearer(CustomerId),
    /// Somebody who named a customer's id.
    AnonymousId(String),
    /// Somebody who named an e-mail or a phone, in its canonical form.
    AnonymousContact(ContactType, String),
}

impl Asker {
    /// `bearer` or `anonymous`.
    pub fn origin(&self) -> &'static str {
        match self {
            Self::Bearer(_) => "bearer",
            Self::AnonymousId(_) | Self::AnonymousContact(..) => "anonymous",
        }
    }

    /// The keyed hash that stands for this asker, different for each origin and each thing named, so that nothing in the
    /// database links an account's id, e-mail and phone.
    pub fn subject(&self, keys: &Keys) -> String {
        match self {
            Self::Bearer(id) => keys.contact_hmac("bearer customer", id.as_str()),
            Self::AnonymousId(id) => keys.contact_hmac("anonymous customer", id),
            Self::AnonymousContact(ContactType::Email, value) => keys.contact_hmac("anonymous email", value),
            Self::AnonymousContact(ContactType::Phone, value) => keys.contact_hmac("anonymous phone", value),
        }
    }
}

/// What a new code belongs to.
pub struct NewOtp<'a> {
    /// Whose; of a decoy, an id that nobody has.
    pub customer_id: &'a CustomerId,
    /// What for.
    pub purpose: OtpPurpose,
    /// Which routes take its token.
    pub kind: OtpKind,
    /// Who asked: `bearer` or `anonymous`.
    pub origin: &'static str,
    /// [`Asker::subject`].
    pub subject: &'a str,
    /// The keyed hash of the contact that the code goes to.
    pub destination: &'a str,
}

/// A code that was made. `Debug` is left out on purpose: the code is a secret.
pub struct GeneratedOtp {
    /// What the caller hands out.
    pub token: String,
    /// What the message holds.
    pub code: String,
    /// The row's id.
    pub id: OtpId,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// Makes a code and stores it in the place of the live one of the same subject and purpose.
///
/// # Errors
/// When the statement fails.
pub async fn generate(cx: &mut Ctx, new: &NewOtp<'_>) -> Result<GeneratedOtp, Error> {
    let options = &cx.shared.options;
    let id = OtpId::generate(cx.now, cx.bytes());
    let code = code::generate(cx.shared.env.rng.as_ref(), options.otp_length, options.otp_charset);
    let expires_at = cx.now.plus_seconds(options.otp_expiry_minutes.saturating_mul(60));
    let row = OtpVerification {
        hashed_code: cx.shared.keys.code_hmac(id.as_str(), &code),
        id,
        customer_id: new.customer_id.clone(),
        purpose: new.purpose.as_str().to_owned(),
        expires_at,
        attempts: 0,
        verified_at: None,
        deleted_at: None,
        kind: Some(new.kind.as_str().to_owned()),
        origin: Some(new.origin.to_owned()),
        subject_hmac: Some(new.subject.to_owned()),
        destination_hmac: Some(new.destination.to_owned()),
        sealed: None,
    };
    otp_verification::replace(&mut cx.tx, &row, cx.now).await?;
    let token = sign(&cx.shared.keys, &row.id, new.kind, expires_at);
    Ok(GeneratedOtp { token, code, id: row.id, expires_at })
}

/// The token of a code that exists; the same row always gives the same token.
pub fn sign(keys: &Keys, id: &OtpId, kind: OtpKind, expires_at: Timestamp) -> String {
    token::issue_otp(keys, &OtpToken { id: id.clone(), kind, exp: expires_at })
}

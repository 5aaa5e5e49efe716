//! `OtpVerificationService`: codes, and what they prove. What counts guesses is in [`super::guess`], what limits sends in
//! [`super::sending`].

use cr_db::models::customer::{self, Customer};
use cr_db::models::otp_verification::{self, OtpVerification};
use cr_types::ids::{CustomerId, OtpId};
use cr_types::timestamp::Timestamp;

use crate::app::App;
use crate::code;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::{Keys, Seal};
use crate::modules::auth::token::{self, OtpKind, OtpToken};
use crate::modules::customer::proof;
use crate::modules::otp_verification::guess;
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

    /// Which contact a word of the database verifies, if it verifies one.
    pub fn contact_of(purpose: &str) -> Option<ContactType> {
        [ContactType::Email, ContactType::Phone]
            .into_iter()
            .find(|contact| Self::of_contact(*contact).as_str() == purpose)
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
    /// What belongs to the code and stays secret; [`super::guess::open_sealed`] gives it back.
    pub sealed: Option<&'a [u8]>,
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

/// A code whose row is not written yet: by the step `send-notification` with its message, or by [`PreparedOtp::store`]. `Debug` is left
/// out as there.
#[must_use = "a code without its row opens nothing"]
pub struct PreparedOtp {
    /// The code.
    pub otp: GeneratedOtp,
    /// Its row.
    pub row: OtpVerification,
}

impl PreparedOtp {
    /// Makes a code.
    pub fn new(cx: &Ctx, new: &NewOtp<'_>) -> Self {
        let options = &cx.shared.options;
        let id = OtpId::generate(cx.now, cx.bytes());
        let code = code::generate(cx.shared.env.rng.as_ref(), options.otp_length, options.otp_charset);
        let expires_at = cx.now.plus_seconds(options.otp_expiry_minutes.saturating_mul(60));
        let row = OtpVerification {
            hashed_code: cx.shared.keys.code_hmac(id.as_str(), &code),
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
            sealed: new.sealed.map(|plain| cx.shared.keys.seal(Seal::Otp, id.as_str(), plain)),
            id: id.clone(),
        };
        let token = sign(&cx.shared.keys, &id, new.kind, expires_at);
        Self { otp: GeneratedOtp { token, code, id, expires_at }, row }
    }

    /// Makes a code for a contact that the customer does not have yet. The new value is sealed into the code's row, never in its token.
    ///
    /// # Errors
    /// 500 when the new value is missing.
    pub fn for_contact_change(cx: &Ctx, new: &NewOtp<'_>) -> Result<Self, Error> {
        if new.kind != OtpKind::ContactChange || new.sealed.is_none() {
            return Err(Error::internal("a contact change needs its new value"));
        }
        Ok(Self::new(cx, new))
    }

    /// Stores it in the place of the live one of the same subject and purpose, without a message.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn store(self, cx: &mut Ctx) -> Result<GeneratedOtp, Error> {
        otp_verification::replace(&mut cx.tx, &self.row, cx.now).await?;
        Ok(self.otp)
    }
}

/// The plugin's service of one-time codes: the public surface of this module.
///
/// A guess at a code is taken by [`Self::verify_otp`], which counts it before anything else; the caller's effect then uses the code
/// up by [`super::guess::consume`].
pub struct OtpVerificationService;

impl OtpVerificationService {
    /// Makes a code and stores it in the place of the live one of the same subject and purpose.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn generate_otp_with_code(cx: &mut Ctx, new: &NewOtp<'_>) -> Result<GeneratedOtp, Error> {
        PreparedOtp::new(cx, new).store(cx).await
    }

    /// The same for a contact that the customer does not have yet.
    ///
    /// # Errors
    /// As [`PreparedOtp::for_contact_change`]; or when the statement fails.
    pub async fn generate_otp_for_contact_change(cx: &mut Ctx, new: &NewOtp<'_>) -> Result<GeneratedOtp, Error> {
        PreparedOtp::for_contact_change(cx, new)?.store(cx).await
    }

    /// Counts a guess, commits, and compares it. What comes back is right and not used up yet.
    ///
    /// # Errors
    /// As [`guess::take`].
    pub async fn verify_otp(app: &App, token: &str, code: &str, kind: OtpKind) -> Result<OtpVerification, Error> {
        Ok(guess::take(app, token, code, kind).await?.otp)
    }

    /// The new contact that a code for a contact change was made for. The token itself tells nothing: it names the row.
    ///
    /// # Errors
    /// 401 for a token that is none of this kind; 400 for one that expired or whose code was replaced or used.
    pub async fn decode_contact_change_token(
        cx: &mut Ctx,
        token: &str,
    ) -> Result<(CustomerId, ContactType, String), Error> {
        let otp = guess::find_live(cx, token, OtpKind::ContactChange).await?;
        let contact = OtpPurpose::contact_of(&otp.purpose).ok_or_else(guess::no_longer_valid)?;
        let plain = guess::open_sealed(&cx.shared.keys, &otp).ok_or_else(guess::no_longer_valid)?;
        let value = String::from_utf8(plain).map_err(Error::internal)?;
        Ok((otp.customer_id, contact, value))
    }

    /// Which of a customer's contacts are proven: (e-mail, phone). `None`: no such customer.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn get_customer_verification_by_customer_id(
        cx: &mut Ctx,
        id: &CustomerId,
    ) -> Result<Option<(bool, bool)>, Error> {
        let customer = customer::find(&mut cx.tx, id).await?;
        Ok(customer.map(|customer| (customer.is_email_verified(), customer.is_phone_verified())))
    }

    /// Records that the customer's present e-mail is proven, with all that follows: whoever else holds it unproven loses it, and
    /// the credential of the e-mail comes into line.
    ///
    /// # Errors
    /// 404 without such a customer; 400 when there is no e-mail; 422 when another account has proven it.
    pub async fn update_email_verified(cx: &mut Ctx, id: &CustomerId) -> Result<Customer, Error> {
        proof::prove_present(cx, id, ContactType::Email).await
    }

    /// The same for the phone.
    ///
    /// # Errors
    /// As [`Self::update_email_verified`].
    pub async fn update_phone_verified(cx: &mut Ctx, id: &CustomerId) -> Result<Customer, Error> {
        proof::prove_present(cx, id, ContactType::Phone).await
    }
}

/// The token of a code that exists; the same row always gives the same token.
pub fn sign(keys: &Keys, id: &OtpId, kind: OtpKind, expires_at: Timestamp) -> String {
    token::issue_otp(keys, &OtpToken { id: id.clone(), kind, exp: expires_at })
}

//! `POST /store/customers/me/contact`: a code to the contact that a customer wants to have.

use cr_types::ids::CustomerId;

use crate::app::App;
use crate::error::Error;
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::session::is_verified;
use crate::modules::auth::token::OtpKind;
use crate::modules::customer::proof;
use crate::modules::otp_verification::sending::{self, OtpSend, SentOtp, Target, is_reachable, unreachable};
use crate::modules::otp_verification::service::{Asker, OtpPurpose};
use crate::options::ContactType;
use crate::workflows::register::invalid_identifier;
use crate::workflows::steps::{resolve_channel_config, retrieve_customer};

/// Who wants which contact.
pub struct Input {
    /// Whose account; their own token says so.
    pub customer_id: CustomerId,
    /// E-mail or phone.
    pub contact_type: ContactType,
    /// The contact, as sent.
    pub new_value: String,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// Sends the code to the new contact, which stays sealed in the code's row until the code comes back.
///
/// # Errors
/// 400 when the section is missing, the contact has no valid form, or is the proven one already; 422 when another account has
/// proven it; 429 over a limit.
pub async fn run(app: &App, input: Input) -> Result<SentOtp, Error> {
    let Input { customer_id, contact_type: contact, new_value, address } = input;
    let options = &app.shared.options;
    let section = resolve_channel_config::run(options, OtpPurpose::of_contact(contact))?;
    let value = Identifier::read(contact, &new_value, options.default_country.as_deref()).canonical;
    let value = value.ok_or_else(|| invalid_identifier(contact))?;
    let mut cx = app.begin().await?;
    let customer = retrieve_customer::run(&mut cx, &customer_id).await?.ok_or_else(Error::unauthenticated)?;
    let present = proof::contact_of(&customer, contact);
    let is_present = present.is_some_and(|present| proof::canonical(&cx, contact, present) == value);
    if is_present && is_verified(&customer, contact) {
        return Err(Error::not_allowed(format!("This is already your verified {}", contact.as_str())));
    }
    if proof::is_proven_elsewhere(&mut cx, Some(&customer.id), contact, &value).await? {
        return Err(proof::taken(contact));
    }
    if !is_reachable(&cx, contact, &value) {
        return Err(unreachable());
    }
    let sealed = value.clone();
    let asker = Asker::Bearer(customer.id.clone());
    let target = Ok(Target { customer, value });
    let request = OtpSend {
        kind: OtpKind::ContactChange,
        sealed: Some(sealed.as_bytes()),
        ..OtpSend::verification(contact, section, asker, target, address.as_deref())
    };
    let sent = sending::send(&mut cx, request).await?;
    cx.commit().await?;
    Ok(sent)
}

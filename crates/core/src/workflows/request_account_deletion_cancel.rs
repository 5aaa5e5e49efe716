//! `POST /store/customers/account-deletion/cancel-request`: a code that takes the wish back, or something that looks the same.
//!
//! Whoever asks cannot log in any more, so they name a contact; the answer never tells whether it belongs to somebody who is
//! about to be deleted.

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::account_deletion_request::service::AccountDeletionRequestService;
use crate::modules::auth::credential::Identifier;
use crate::modules::auth::token::OtpKind;
use crate::modules::customer::{lookup, proof};
use crate::modules::otp_verification::sending::{self, OtpSend, SentOtp, Target};
use crate::modules::otp_verification::service::{Asker, OtpPurpose};
use crate::modules::rate_limit;
use crate::options::ContactType;
use crate::workflows::register::invalid_identifier;
use crate::workflows::steps::determine_contact_method::{channel_of, contact_of_channel};
use crate::workflows::steps::{load_template, resolve_channel_config};

/// Who wants to stay.
pub struct Input {
    /// E-mail or phone.
    pub contact: ContactType,
    /// As sent.
    pub identifier: String,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// Sends the code to the contact that was named, if it is that of an account with an active request; else a decoy.
///
/// # Errors
/// 400 when the section is missing, or the contact has no valid form; 429 over a limit, for unknown contacts too.
pub async fn run(app: &App, input: Input) -> Result<SentOtp, Error> {
    let options = &app.shared.options;
    let purpose = OtpPurpose::AccountDeletionCancel;
    let section = resolve_channel_config::run(options, purpose)?;
    let identifier = Identifier::read(input.contact, &input.identifier, options.default_country.as_deref());
    let value = identifier.canonical.clone().ok_or_else(|| invalid_identifier(input.contact))?;
    let mut cx = app.begin().await?;
    cx.step("retrieve-customer")?;
    if let Some(address) = rate_limit::address_subject(&app.shared.keys, input.address.as_deref()) {
        let limit = &options.limits.cancel_requests_per_address;
        rate_limit::take_or_refuse(&mut cx.tx, "cancelRequestsPerAddress", &address, limit, cx.now).await?;
    }
    let channel = if input.contact == contact_of_channel(&section.channel) {
        section.channel.clone()
    } else {
        channel_of(options, input.contact)
    };
    let request = OtpSend {
        purpose,
        kind: OtpKind::Cancellation,
        contact: input.contact,
        section,
        channel: &channel,
        message: load_template::run(purpose),
        target: find_target(&mut cx, &identifier, &value).await?,
        asker: Asker::AnonymousContact(input.contact, value),
        sealed: None,
        address: input.address.as_deref(),
        variables: std::collections::BTreeMap::new(),
    };
    let sent = sending::send(&mut cx, request).await?;
    cx.commit().await?;
    Ok(sent)
}

/// Who may get the code at this contact, or why nobody. Looks for a request whether or not there is an account.
async fn find_target(
    cx: &mut Ctx,
    identifier: &Identifier,
    value: &str,
) -> Result<Result<Target, &'static str>, Error> {
    let found = lookup::holders(cx, identifier).await?;
    let customer = lookup::choose(identifier, found);
    let nobody = cr_types::ids::CustomerId::generate(cx.now, cx.bytes());
    let id = customer.as_ref().map_or(&nobody, |customer| &customer.id).clone();
    let is_leaving = AccountDeletionRequestService::has_active_request(cx, &id).await?;
    Ok(customer.and_then(|customer| {
        if !is_leaving {
            return Err("no deletion of that account is planned");
        }
        let value = proof::contact_of(&customer, identifier.contact).unwrap_or(value).to_owned();
        Ok(Target { customer, value })
    }))
}

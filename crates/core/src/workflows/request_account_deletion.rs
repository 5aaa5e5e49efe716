//! `POST /store/customers/account-deletion/request`: a code that confirms the wish, to a contact that is proven.

use std::collections::BTreeMap;

use cr_types::ids::CustomerId;

use crate::app::App;
use crate::error::Error;
use crate::modules::account_deletion_request::service::{AccountDeletionRequestService, already_active};
use crate::modules::auth::token::OtpKind;
use crate::modules::otp_verification::sending::{self, OtpSend, SentOtp, Target, is_reachable, unreachable};
use crate::modules::otp_verification::service::{Asker, OtpPurpose};
use crate::workflows::steps::{determine_contact_method, load_template, resolve_channel_config, retrieve_customer};

/// Who wants to go.
pub struct Input {
    /// Whose account; their own token says so.
    pub customer_id: CustomerId,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The client's address, as limits know it.
    pub address: Option<String>,
}

/// Sends the code. The reason stays sealed in the code's row until the wish is confirmed.
///
/// # Errors
/// 400 when the section is missing, a request is active already, or no contact is proven; 429 over a limit.
pub async fn run(app: &App, input: Input) -> Result<SentOtp, Error> {
    let options = &app.shared.options;
    let section = resolve_channel_config::run(options, OtpPurpose::AccountDeletionRequest)?;
    let mut cx = app.begin().await?;
    let customer = retrieve_customer::run(&mut cx, &input.customer_id).await?.ok_or_else(Error::unauthenticated)?;
    if AccountDeletionRequestService::has_active_request(&mut cx, &customer.id).await? {
        return Err(already_active());
    }
    let method = determine_contact_method::run(options, section, &customer)?;
    if !is_reachable(&cx, method.contact, &method.value) {
        return Err(unreachable());
    }
    let purpose = OtpPurpose::AccountDeletionRequest;
    let due = cx.now.plus_seconds(options.scheduled_days.saturating_mul(86_400));
    let request = OtpSend {
        purpose,
        kind: OtpKind::Deletion,
        contact: method.contact,
        asker: Asker::Bearer(customer.id.clone()),
        section,
        channel: &method.channel,
        message: load_template::run(purpose),
        target: Ok(Target { customer, value: method.value }),
        sealed: input.reason.as_deref().map(str::as_bytes),
        address: input.address.as_deref(),
        variables: BTreeMap::from([
            ("scheduled_days", options.scheduled_days.to_string()),
            ("deletion_scheduled_at", due.to_string()),
        ]),
    };
    let sent = sending::send(&mut cx, request).await?;
    cx.commit().await?;
    Ok(sent)
}

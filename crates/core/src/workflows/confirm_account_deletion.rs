//! `POST /store/customers/account-deletion/confirm`: the code came back, so the account will be deleted.

use std::collections::BTreeMap;

use cr_db::models::account_deletion_request::AccountDeletionRequest;
use cr_db::models::customer::{self, Customer};
use cr_db::models::otp_verification::OtpVerification;

use crate::app::App;
use crate::ctx::Ctx;
use crate::delivery::message::MessageKind;
use crate::delivery::notice;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::account_deletion_request::service::AccountDeletionRequestService;
use crate::modules::auth::session;
use crate::modules::auth::token::OtpKind;
use crate::modules::customer::proof::contact_of;
use crate::modules::otp_verification::guess;
use crate::options::ContactType;

/// What came back.
pub struct Input {
    /// From `account-deletion/request`.
    pub token: String,
    /// From the message.
    pub code: String,
}

/// Confirms the wish: all sessions end, every proven contact is told when it happens and how to stop it.
///
/// # Errors
/// As [`guess::take`]; 400 when a request is active already, or the code's contact is not the customer's any more.
pub async fn run(app: &App, input: Input) -> Result<AccountDeletionRequest, Error> {
    let otp = guess::take(app, &input.token, &input.code, OtpKind::Deletion).await?.otp;
    let mut cx = app.begin().await?;
    cx.step("verify-otp")?;
    let customer = lock_customer(&mut cx, &otp).await?;
    guess::consume(&mut cx, &otp, &[]).await?;
    cx.step("create-account-deletion-request")?;
    let days = cx.shared.options.scheduled_days;
    let due = cx.now.plus_seconds(days.saturating_mul(86_400));
    let reason =
        guess::open_sealed(&cx.shared.keys, &otp).map(String::from_utf8).transpose().map_err(Error::internal)?;
    let request =
        AccountDeletionRequestService::create_confirmed(&mut cx, &customer.id, due, reason.as_deref()).await?;
    session::end_all(&mut cx, &customer.id).await?;
    cx.step("send-notification")?;
    let variables = BTreeMap::from([("scheduled_days", days.to_string()), ("deletion_scheduled_at", due.to_string())]);
    let event = Event::AccountDeletionConfirmed { id: request.id.clone(), customer_id: customer.id.clone() };
    notice::to_proven_contacts(&mut cx, &customer, MessageKind::AccountDeletionNotice, event.name(), variables).await?;
    events::emit(&mut cx, event).await?;
    cx.commit().await?;
    Ok(request)
}

/// The customer of a code about the account itself, held until the end, who still has the contact that the code went to.
///
/// # Errors
/// 400 `OTP is no longer valid` otherwise.
pub async fn lock_customer(cx: &mut Ctx, otp: &OtpVerification) -> Result<Customer, Error> {
    customer::lock(&mut cx.tx, &otp.customer_id).await?;
    let found = customer::find(&mut cx.tx, &otp.customer_id).await?.filter(|customer| customer.has_account);
    let customer = found.ok_or_else(guess::no_longer_valid)?;
    let sent_to = otp.destination_hmac.as_deref().unwrap_or_default();
    let keys = &cx.shared.keys;
    let is_still_theirs = [ContactType::Email, ContactType::Phone].into_iter().any(|contact| {
        contact_of(&customer, contact).is_some_and(|value| keys.contact_matches(contact.as_str(), value, sent_to))
    });
    if is_still_theirs { Ok(customer) } else { Err(guess::no_longer_valid()) }
}

//! `POST /store/customers/account-deletion/cancel-confirm`: the code came back, so the account stays.

use cr_db::models::account_deletion_request::AccountDeletionRequest;

use crate::app::App;
use crate::error::Error;
use crate::events::{self, Event};
use crate::modules::account_deletion_request::service::AccountDeletionRequestService;
use crate::modules::auth::token::OtpKind;
use crate::modules::otp_verification::guess;
use crate::workflows::confirm_account_deletion::lock_customer;

/// What came back.
pub struct Input {
    /// From `account-deletion/cancel-request`.
    pub token: String,
    /// From the message.
    pub code: String,
}

/// Cancels the active request.
///
/// # Errors
/// As [`guess::take`]; 400 when there is nothing to cancel any more, or the code's contact is not the customer's any more.
pub async fn run(app: &App, input: Input) -> Result<AccountDeletionRequest, Error> {
    let otp = guess::take(app, &input.token, &input.code, OtpKind::Cancellation).await?.otp;
    let mut cx = app.begin().await?;
    cx.step("verify-otp")?;
    // Request, customer, code: the order in which the job holds them. What the request says is told last.
    let cancelled = AccountDeletionRequestService::cancel_request(&mut cx, &otp.customer_id).await;
    let customer = lock_customer(&mut cx, &otp).await?;
    guess::consume(&mut cx, &otp, &[]).await?;
    cx.step("cancel-account-deletion-request")?;
    let request = cancelled?;
    let event = Event::AccountDeletionCancelled { id: request.id.clone(), customer_id: customer.id };
    events::emit(&mut cx, event).await?;
    cx.commit().await?;
    Ok(request)
}

//! `GET /admin/account-deletion-requests/{id}/messages`.

use cr_db::models::cr_outbox::{self, DeliveryTrace};

use crate::app::App;
use crate::error::Error;
use crate::modules::account_deletion_request::service::AccountDeletionRequestService;

/// More than a customer is sent in the weeks that delivered messages are kept, within the limits.
const AT_MOST: i64 = 1000;

/// How the messages to the customer of a request fared, the newest first. A deleted account has none any more.
///
/// # Errors
/// 404 for an id of no request; or when a statement fails.
pub async fn run(app: &App, id: &str) -> Result<Vec<DeliveryTrace>, Error> {
    let mut cx = app.begin_read().await?;
    let request = AccountDeletionRequestService::retrieve(&mut cx, id).await?;
    Ok(cr_outbox::list_of_receiver(&mut cx.tx, &request.customer_id, AT_MOST).await?)
}

//! `GET /admin/account-deletion-requests`.

use cr_db::models::account_deletion_request::AccountDeletionRequest;

use crate::app::App;
use crate::error::Error;
use crate::modules::account_deletion_request::service::{AccountDeletionRequestService, ListConfig};

/// A page of requests and how many there are in all.
///
/// # Errors
/// When a statement fails.
pub async fn run(
    app: &App,
    status: Option<&str>,
    config: ListConfig,
) -> Result<(Vec<AccountDeletionRequest>, i64), Error> {
    let mut cx = app.begin_read().await?;
    AccountDeletionRequestService::list_for_admin(&mut cx, status, config).await
}

//! `POST /admin/account-deletion-requests/{id}/run`.

use cr_core::error::Error;
use cr_core::modules::account_deletion_request::service::Decision;

use crate::api::admin::account_deletion_requests::id::decide;
use crate::call::Call;
use crate::respond::Reply;

/// The account goes now, whenever it was due: 200 `{"request"}`.
///
/// # Errors
/// As [`decide_account_deletion::run`](cr_core::workflows::decide_account_deletion::run); 400 for a body with anything in it.
pub async fn post(call: Call) -> Result<Reply, Error> {
    decide(&call, Decision::Run).await
}

//! `POST /store/customers/account-deletion/cancel-confirm`.

use cr_core::error::Error;
use cr_core::workflows::cancel_account_deletion;
use cr_types::http::{CancelledRequest, DeletionCancelled};

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Takes the wish back: 200 `{"cancelled":true,"request":{"id","customer_id","status","cancelled_at"}}`.
///
/// # Errors
/// As [`cancel_account_deletion::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let token = body.string("token");
    let code = body.string("code");
    body.finish()?;
    let request = cancel_account_deletion::run(call.app(), cancel_account_deletion::Input { token, code }).await?;
    Reply::json(&DeletionCancelled {
        cancelled: true,
        request: CancelledRequest {
            id: request.id,
            customer_id: request.customer_id,
            status: request.status,
            cancelled_at: request.cancelled_at,
        },
    })
}

//! `POST /store/customers/account-deletion/confirm`.

use cr_core::error::Error;
use cr_core::workflows::confirm_account_deletion;
use cr_types::http::{ConfirmedRequest, DeletionConfirmed};

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Confirms the wish: 200 `{"request":{"id","customer_id","reason","deletion_scheduled_at","status"}}`.
///
/// # Errors
/// As [`confirm_account_deletion::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let token = body.string("token");
    let code = body.string("code");
    body.finish()?;
    let request = confirm_account_deletion::run(call.app(), confirm_account_deletion::Input { token, code }).await?;
    Reply::json(&DeletionConfirmed {
        request: ConfirmedRequest {
            id: request.id,
            customer_id: request.customer_id,
            reason: request.reason,
            deletion_scheduled_at: request.deletion_scheduled_at,
            status: request.status,
        },
    })
}

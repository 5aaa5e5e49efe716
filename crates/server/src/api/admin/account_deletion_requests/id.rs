//! Below `/admin/account-deletion-requests/{id}`: what an administrator decides of one request.

pub mod cancel;
pub mod hold;
pub mod messages;
pub mod release;
pub mod run;

use cr_core::error::Error;
use cr_core::modules::account_deletion_request::service::Decision;
use cr_core::workflows::decide_account_deletion::{self, Administrator};
use serde_json::json;

use crate::api::admin::account_deletion_requests::shown;
use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Does it: 200 `{"request"}`. The body is empty.
///
/// # Errors
/// As [`decide_account_deletion::run`]; 400 for a body with anything in it.
async fn decide(call: &Call, decision: Decision) -> Result<Reply, Error> {
    Object::strict(&call.body)?.finish()?;
    let claims = call.claims()?;
    let by = Administrator { actor_type: &claims.actor_type, actor_id: &claims.actor_id };
    let request = decide_account_deletion::run(call.app(), call.param("id"), decision, &by).await?;
    Reply::json(&json!({ "request": shown(&request) }))
}

//! `POST /admin/customers/{id}/end-sessions`.

use cr_core::error::Error;
use cr_core::workflows::decide_account_deletion::Administrator;
use cr_core::workflows::end_customer_sessions;
use cr_types::ids::CustomerId;
use serde_json::json;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Logs a customer out everywhere: 200 `{"customer":{"id","sessions_ended_at"}}`. The body is empty.
///
/// # Errors
/// As [`end_customer_sessions::run`]; 400 for a body with anything in it.
pub async fn post(call: Call) -> Result<Reply, Error> {
    Object::strict(&call.body)?.finish()?;
    let claims = call.claims()?;
    let by = Administrator { actor_type: &claims.actor_type, actor_id: &claims.actor_id };
    let id = CustomerId::from_stored(call.param("id"));
    let ended_at = end_customer_sessions::run(call.app(), &id, &by).await?;
    Reply::json(&json!({ "customer": { "id": id, "sessions_ended_at": ended_at } }))
}

//! `GET /health/ready`: whether requests can be served now.

use cr_core::error::Error;
use serde_json::json;

use crate::call::Call;
use crate::respond::Reply;

/// 200 `{"status":"ready"}` when the database answers.
///
/// # Errors
/// 503 when it does not.
pub async fn get(call: Call) -> Result<Reply, Error> {
    call.app().check_ready().await?;
    Reply::json(&json!({ "status": "ready" }))
}

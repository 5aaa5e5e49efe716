//! `GET /admin/account-deletion-requests/{id}/messages`.

use cr_core::error::Error;
use cr_core::workflows::list_account_deletion_messages;
use serde_json::{Value, json};

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// How the messages to the customer of a request fared: 200
/// `{"messages":[{channel, trigger_type, status, attempts, last_error, created_at, delivered_at}],"count"}`.
///
/// # Errors
/// As [`list_account_deletion_messages::run`]; 400 for a query.
pub async fn get(call: Call) -> Result<Reply, Error> {
    Object::query(&call.query).finish()?;
    let traces = list_account_deletion_messages::run(call.app(), call.param("id")).await?;
    let messages: Vec<Value> = traces
        .iter()
        .map(|message| {
            json!({
                "channel": message.channel,
                "trigger_type": message.trigger_type,
                "status": message.status,
                "attempts": message.attempts,
                "last_error": message.last_error,
                "created_at": message.created_at,
                "delivered_at": message.delivered_at,
            })
        })
        .collect();
    let count = messages.len();
    Reply::json(&json!({ "messages": messages, "count": count }))
}

//! The body of every failed request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Medusa's error body: `code` and `type` are left out when absent, and details follow the message.
///
/// Shape: `{"code":"invalid_request_error","type":"duplicate_error","message":"…"}` (contract of Medusa 2.11.2: keys in
/// this order; the authentication guard's `401` has a message alone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What a program may branch on beyond the type, such as `otp_locked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Medusa's error type, such as `invalid_data`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A sentence for a person.
    pub message: String,
    /// What the code's documentation promises besides, such as `deletion_scheduled_at`.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

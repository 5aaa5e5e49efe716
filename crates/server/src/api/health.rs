//! `GET /health`: the process answers.

use cr_core::error::Error;

use crate::call::Call;
use crate::respond::Reply;

pub mod ready;

/// 200 `OK`, as Medusa has it; asks nobody.
///
/// # Errors
/// Never.
pub async fn get(_call: Call) -> Result<Reply, Error> {
    Ok(Reply::text("OK"))
}

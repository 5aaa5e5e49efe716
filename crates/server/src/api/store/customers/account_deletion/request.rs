//! `POST /store/customers/account-deletion/request`.

use cr_core::error::Error;
use cr_core::workflows::request_account_deletion;
use cr_types::http::CodeSent;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Characters that a reason may have.
const LONGEST_REASON: usize = 1000;

/// Sends a code that confirms the wish: 200 `{"token","expires_at"}`.
///
/// # Errors
/// As [`request_account_deletion::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let reason = body.nullable_string_of_at_most("reason", LONGEST_REASON).into_option();
    body.finish()?;
    let customer_id = call.customer()?.id.clone();
    let input = request_account_deletion::Input { customer_id, reason, address: call.address_key() };
    let output = request_account_deletion::run(call.app(), input).await?;
    Reply::json(&CodeSent { token: output.token, expires_at: output.expires_at })
}

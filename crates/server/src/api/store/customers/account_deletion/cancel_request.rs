//! `POST /store/customers/account-deletion/cancel-request`.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::request_account_deletion_cancel;
use cr_types::http::CodeSent;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Sends a code that takes the wish back: 200 `{"token","expires_at"}`, whoever was named.
///
/// # Errors
/// As [`request_account_deletion_cancel::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let email = body.optional_string("email");
    let phone = body.optional_string("phone");
    let one = body.exactly_one_of(&["email", "phone"]);
    body.finish().and(one)?;
    let (contact, identifier) = match email {
        Some(email) => (ContactType::Email, email),
        None => (ContactType::Phone, phone.unwrap_or_default()),
    };
    let input = request_account_deletion_cancel::Input { contact, identifier, address: call.address_key() };
    let output = request_account_deletion_cancel::run(call.app(), input).await?;
    Reply::json(&CodeSent { token: output.token, expires_at: output.expires_at })
}

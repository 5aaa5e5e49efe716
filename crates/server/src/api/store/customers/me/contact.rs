//! `POST /store/customers/me/contact`.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::send_contact_change_otp;
use cr_types::http::CodeSent;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

pub mod verify;

/// Sends a code to a new contact: 200 `{"token","expires_at"}`.
///
/// # Errors
/// As [`send_contact_change_otp::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let email = body.optional_string("email");
    let phone = body.optional_string("phone");
    let one = body.exactly_one_of(&["email", "phone"]);
    body.finish().and(one)?;
    let (contact_type, new_value) = match email {
        Some(email) => (ContactType::Email, email),
        None => (ContactType::Phone, phone.unwrap_or_default()),
    };
    let customer_id = call.customer()?.id.clone();
    let input = send_contact_change_otp::Input { customer_id, contact_type, new_value, address: call.address_key() };
    let output = send_contact_change_otp::run(call.app(), input).await?;
    Reply::json(&CodeSent { token: output.token, expires_at: output.expires_at })
}

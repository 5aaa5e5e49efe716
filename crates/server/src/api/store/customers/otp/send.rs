//! `POST /store/customers/otp/send`.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::send_otp::{self, Named};
use cr_types::http::CodeSent;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Sends a code: 200 `{"token","expires_at"}`, whoever was named.
///
/// # Errors
/// As [`send_otp::run`].
pub async fn post(mut call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let kind = body.one_of("type", &["email_verification", "phone_verification"]);
    let customer_id = body.optional_string("customer_id");
    let email = body.optional_string("email");
    let phone = body.optional_string("phone");
    let one = body.exactly_one_of(&["customer_id", "email", "phone"]);
    body.finish().and(one)?;
    let named = match (customer_id, email) {
        (Some(id), _) => Named::Customer(id),
        (None, Some(email)) => Named::Contact(ContactType::Email, email),
        (None, None) => Named::Contact(ContactType::Phone, phone.unwrap_or_default()),
    };
    let contact = if kind == "email_verification" { ContactType::Email } else { ContactType::Phone };
    let (claims, session) = call.auth.take().map(|auth| (auth.claims, auth.session)).unzip();
    let input = send_otp::Input { contact, named, claims, session: session.flatten(), address: call.address_key() };
    let output = send_otp::run(call.app(), input).await?;
    Reply::json(&CodeSent { token: output.token, expires_at: output.expires_at })
}

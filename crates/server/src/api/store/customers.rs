//! `POST /store/customers`.

use cr_core::error::Error;
use cr_core::identifiers::Email;
use cr_core::workflows::create_customer;
use cr_types::http::CustomerBody;

use crate::call::Call;
use crate::fields::Projection;
use crate::respond::Reply;
use crate::validation::{Field, Object};

pub mod account_deletion;
pub mod change_password;
pub mod contact;
pub mod me;
pub mod otp;

/// Makes the customer of a registration: 200 `{"customer"}`, and `"verifications"` where codes were sent at once.
///
/// # Errors
/// As [`create_customer::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let input = input(&call)?;
    let projection = me::projection(&call)?;
    let output = create_customer::run(call.app(), input).await?;
    let customer = Projection::apply(&projection, output.customer);
    Reply::json(&CustomerBody { customer, verifications: output.verifications })
}

/// Core's schema, in its order.
fn input(call: &Call) -> Result<create_customer::Input, Error> {
    let mut body = Object::strict(&call.body)?;
    let email = body.nullable_email("email", |text| Email::parse(text).map(|_| text.to_owned()));
    let company_name = body.nullable_string("company_name");
    let first_name = body.nullable_string("first_name");
    let last_name = body.nullable_string("last_name");
    let phone = body.nullable_string("phone");
    let metadata = body.nullable_object("metadata");
    let referral_code = body.nullable_string("referral_code");
    body.finish()?;
    Ok(create_customer::Input {
        claims: call.claims()?.clone(),
        email: email.into_option(),
        phone: phone.into_option(),
        company_name: company_name.into_option(),
        first_name: first_name.into_option(),
        last_name: last_name.into_option(),
        metadata: Field::into_option(metadata),
        referral_code: referral_code.into_option(),
        address: call.address_key(),
    })
}

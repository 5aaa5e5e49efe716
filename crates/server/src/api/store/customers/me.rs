//! `GET`, `POST` and `PATCH /store/customers/me`.

use cr_core::error::Error;
use cr_core::workflows::{retrieve_customer, update_customer};
use cr_types::http::CustomerBody;

use crate::call::Call;
use crate::fields::Projection;
use crate::respond::Reply;
use crate::validation::Object;

pub mod contact;

/// The customer: 200 `{"customer"}`, with the keys that `?fields=` names.
///
/// # Errors
/// 400 for fields that a customer has not.
pub async fn get(call: Call) -> Result<Reply, Error> {
    let projection = projection(&call)?;
    let session = call.session()?;
    let with_addresses = session.has_addresses && projection.needs_addresses();
    let customer = retrieve_customer::run(call.app(), &session.customer, with_addresses).await?;
    Reply::json(&CustomerBody { customer: projection.apply(customer), verifications: None })
}

/// Changes the profile: 200 `{"customer"}`.
///
/// # Errors
/// 400 for contacts, which only a code changes; as [`update_customer::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    refuse_contacts(&call)?;
    let mut body = Object::strict(&call.body)?;
    let company_name = body.nullable_string("company_name").into_patch();
    let first_name = body.nullable_string("first_name").into_patch();
    let last_name = body.nullable_string("last_name").into_patch();
    let metadata = body.nullable_object("metadata").into_patch();
    body.finish()?;
    let projection = projection(&call)?;
    let input = update_customer::Input { company_name, first_name, last_name, metadata };
    let customer = update_customer::run(call.app(), &call.customer()?.id, input).await?;
    Reply::json(&CustomerBody { customer: projection.apply(customer), verifications: None })
}

/// The same under the plugin's method.
///
/// # Errors
/// As [`post`].
pub async fn patch(call: Call) -> Result<Reply, Error> {
    post(call).await
}

/// What `?fields=` asks for; no other parameter is taken.
///
/// # Errors
/// 400, Medusa's sentences.
pub fn projection(call: &Call) -> Result<Projection, Error> {
    let projection = Projection::from_query(&call.query)?;
    projection.refuse_upstream()?;
    Ok(projection)
}

/// A contact changes by a code alone.
///
/// # Errors
/// 400 `not_allowed` when the body names one, whatever its value.
fn refuse_contacts(call: &Call) -> Result<(), Error> {
    for (key, title) in [("email", "Email"), ("phone", "Phone")] {
        if call.body.get(key).is_some() {
            return Err(Error::not_allowed(format!(
                "{title} changes require OTP verification. Use POST /store/customers/me/contact to request a change."
            )));
        }
    }
    Ok(())
}

//! `GET`, `POST` and `PATCH /store/customers/me`.

use axum::response::Response;
use cr_core::error::Error;
use cr_core::modules::customer::view::scalar;
use cr_core::subscribers::password_reset::percent_encode;
use cr_core::workflows::{retrieve_customer, update_customer};
use cr_types::http::CustomerBody;
use http::header::{CONTENT_LENGTH, ETAG};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::call::Call;
use crate::fields::Projection;
use crate::respond::Reply;
use crate::validation::Object;
use crate::{gateway, json};

pub mod contact;

/// What a customer has here and at no Medusa.
const FLAGS: [&str; 2] = ["email_verified", "phone_verified"];

/// The customer: 200 `{"customer"}`, with the keys that `?fields=` names.
///
/// # Errors
/// 400 for fields that a customer has not.
pub async fn get(call: Call) -> Result<Reply, Error> {
    let projection = Projection::from_query(&call.query)?;
    if projection.needs_upstream() && call.state.http.gateway.is_some() {
        return with_orders(&call).await;
    }
    projection.refuse_upstream()?;
    let session = call.session()?;
    let retrieved = retrieve_customer::run(call.app(), &session.customer, &session.addresses).await?;
    Reply::json(&CustomerBody { customer: projection.show(&retrieved), verifications: None })
}

/// The customer as the upstream tells it, for fields that only a Medusa holds; the flags are added where they are named.
///
/// # Errors
/// As [`gateway::ask`].
async fn with_orders(call: &Call) -> Result<Reply, Error> {
    let fields = call.query.get("fields").and_then(Value::as_str).unwrap_or_default();
    let (flags, others): (Vec<&str>, Vec<&str>) =
        fields.split(',').map(str::trim).partition(|field| FLAGS.contains(&field.trim_start_matches('+')));
    let fields = percent_encode(&others.join(","));
    let target = format!("{}?fields={fields}", call.path).parse().map_err(Error::internal)?;
    let answer = gateway::ask(call, target, None).await?;
    if flags.is_empty() || answer.status() != StatusCode::OK || call.method == Method::HEAD {
        return Ok(Reply::passed(answer));
    }
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    let mut json: Value = serde_json::from_slice(&bytes).map_err(broken)?;
    if let Some(customer) = json.get_mut("customer").and_then(Value::as_object_mut) {
        for flag in flags.iter().map(|flag| flag.trim_start_matches('+')) {
            customer.insert(flag.to_owned(), scalar(call.customer()?, flag).unwrap_or_default());
        }
    }
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ETAG);
    Ok(Reply::passed(Response::from_parts(parts, json::write(&json).map_err(Error::internal)?.into())))
}

/// 502 for a customer of the upstream's that breaks off, or is no JSON.
fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::bad_gateway("The shop's answer could not be read").because(error)
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

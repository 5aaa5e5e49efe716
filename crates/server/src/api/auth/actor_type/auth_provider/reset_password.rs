//! `POST /auth/{actor_type}/{auth_provider}/reset-password`.

use cr_core::error::Error;
use cr_core::workflows::request_password_reset;
use serde_json::json;

use crate::call::Call;
use crate::credentials;
use crate::gateway;
use crate::respond::Reply;
use crate::validation::Object;

/// Sends a link to whoever owns the contact: 201 `{}`, for unknown contacts too.
///
/// # Errors
/// As [`request_password_reset::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    credentials::check_allowed(&call)?;
    check_shape(&call)?;
    if !credentials::is_known(&call) {
        // As Medusa 2.11.2, which does not look at the provider here.
        return Reply::created_json(&json!({}));
    }
    let named = credentials::of_reset(&call, &call.body.as_object().cloned().unwrap_or_default())?;
    let input = request_password_reset::Input {
        actor_type: call.param("actor_type").to_owned(),
        contact: named.contact,
        identifier: named.text,
        address: call.address_key(),
    };
    if gateway::owns_passwords_of(&call) {
        return of_the_upstream(&call, &input).await;
    }
    request_password_reset::run(call.app(), input).await?;
    Reply::created_json(&json!({}))
}

/// A lookup, and nothing else.
///
/// # Errors
/// 400 with Medusa's sentences.
fn check_shape(call: &Call) -> Result<(), Error> {
    let mut body = Object::strict(&call.body)?;
    for key in ["identifier", "email", "phone", "email_or_phone"] {
        body.optional_string(key);
    }
    if gateway::owns_passwords_of(call) {
        // Newer Medusas take it for their subscriber, older ones refuse it themselves.
        body.nullable_object("metadata");
    }
    body.finish()
}

/// Has the upstream write to an actor of its own, within the limits of this server.
///
/// # Errors
/// 429 over a limit; as [`gateway::forward`].
async fn of_the_upstream(call: &Call, input: &request_password_reset::Input) -> Result<Reply, Error> {
    request_password_reset::count(call.app(), input).await?;
    let body = match call.body.get("metadata") {
        Some(metadata) => json!({ "identifier": input.identifier, "metadata": metadata }),
        None => json!({ "identifier": input.identifier }),
    };
    gateway::forward(call, Some(&body)).await
}

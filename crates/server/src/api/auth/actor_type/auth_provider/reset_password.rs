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
    let mut body = Object::strict(&call.body)?;
    for key in ["identifier", "email", "phone", "email_or_phone"] {
        body.optional_string(key);
    }
    let is_upstreams = gateway::owns_passwords_of(&call);
    if is_upstreams {
        // Newer Medusas take it for their subscriber, older ones refuse it themselves.
        body.nullable_object("metadata");
    }
    body.finish()?;
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
    if is_upstreams {
        request_password_reset::count(call.app(), &input).await?;
        let body = match call.body.get("metadata") {
            Some(metadata) => json!({ "identifier": input.identifier, "metadata": metadata }),
            None => json!({ "identifier": input.identifier }),
        };
        return gateway::forward(&call, Some(&body)).await;
    }
    request_password_reset::run(call.app(), input).await?;
    Reply::created_json(&json!({}))
}

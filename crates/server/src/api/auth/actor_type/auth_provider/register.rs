//! `POST /auth/{actor_type}/{auth_provider}/register`.

use cr_core::error::Error;
use cr_core::workflows::register;
use cr_types::http::Token;

use crate::call::Call;
use crate::credentials;
use crate::respond::Reply;

/// Credentials for a registration token: 200 `{"token"}`.
///
/// # Errors
/// As [`register::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    credentials::check_allowed(&call)?;
    credentials::check_known(&call)?;
    let body = call.body.as_object().cloned().unwrap_or_default();
    let password = credentials::password(&body)?;
    let named = credentials::of_contact(&body, credentials::registered_contact(&call)?)?;
    let input = register::Input {
        actor_type: call.param("actor_type").to_owned(),
        contact: named.contact,
        identifier: named.text,
        password,
        address: call.address_key(),
    };
    let output = register::run(call.app(), input).await?;
    Reply::json(&Token { token: output.token })
}

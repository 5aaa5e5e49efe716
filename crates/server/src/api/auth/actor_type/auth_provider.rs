//! `POST` and `GET /auth/{actor_type}/{auth_provider}`: login, one rule for all doors.

use cr_core::error::Error;
use cr_core::options::ContactType;
use cr_core::workflows::login;
use cr_types::http::Token;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::call::Call;
use crate::credentials::{self, Named};
use crate::gateway;
use crate::respond::Reply;

pub mod callback;
pub mod register;
pub mod reset_password;
pub mod update;

/// Credentials for a token: 200 `{"token"}`.
///
/// # Errors
/// As [`login::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    credentials::check_allowed(&call)?;
    credentials::check_known(&call)?;
    let input = credentials::body_and_query(&call);
    let password = credentials::password(&input)?;
    let named = credentials::of_login(&call, &input)?;
    let input = login::Input {
        actor_type: call.param("actor_type").to_owned(),
        contact: named.contact,
        identifier: named.text.clone(),
        password: password.clone(),
        address: call.address_key(),
    };
    match login::run(call.app(), input).await {
        Err(error) if error.code == Some("mfa_required") && can_challenge(&call, &named) => {
            challenge(&call, &named, &password).await
        }
        output => Reply::json(&Token { token: output?.token }),
    }
}

/// Whether the upstream can take a login on that wants a second factor: it knows e-mails, and no phones.
fn can_challenge(call: &Call, named: &Named) -> bool {
    call.state.http.gateway.is_some() && named.contact == ContactType::Email
}

/// Has the upstream ask for the second factor, which is done inside its own login alone. What is passed on was checked here.
///
/// # Errors
/// As [`gateway::ask`].
async fn challenge(call: &Call, named: &Named, password: &SecretString) -> Result<Reply, Error> {
    // As the request encoded it.
    let actor_type = call.path.split('/').nth(2).unwrap_or_default();
    let target = format!("/auth/{actor_type}/emailpass").parse().map_err(Error::internal)?;
    let body = json!({ "email": named.text, "password": password.expose_secret() });
    Ok(Reply::passed(gateway::ask(call, target, Some(&body)).await?))
}

/// The same; Medusa registers both methods, and reads the body of a `GET` too.
///
/// # Errors
/// As [`post`].
pub async fn get(call: Call) -> Result<Reply, Error> {
    post(call).await
}

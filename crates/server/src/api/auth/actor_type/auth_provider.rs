//! `POST` and `GET /auth/{actor_type}/{auth_provider}`: login, one rule for all doors.

use cr_core::error::Error;
use cr_core::workflows::login;
use cr_types::http::Token;

use crate::call::Call;
use crate::credentials;
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
        identifier: named.text,
        password,
        address: call.address_key(),
    };
    let output = login::run(call.app(), input).await?;
    Reply::json(&Token { token: output.token })
}

/// The same; Medusa registers both methods, and reads the body of a `GET` too.
///
/// # Errors
/// As [`post`].
pub async fn get(call: Call) -> Result<Reply, Error> {
    post(call).await
}

//! `GET` and `POST …/callback`: there is nothing to come back from.

use cr_core::error::Error;

use crate::call::Call;
use crate::credentials;
use crate::respond::Reply;

/// Medusa's refusal (2.11.2), which does not look at `authMethodsPerActor` here.
///
/// # Errors
/// Always 401.
pub async fn get(call: Call) -> Result<Reply, Error> {
    credentials::check_known(&call)?;
    let provider = call.param("auth_provider");
    Err(Error::unauthorized(format!("Callback authentication not implemented for provider {provider}")))
}

/// The same, after the check that Medusa has on `POST` alone.
///
/// # Errors
/// Always.
pub async fn post(call: Call) -> Result<Reply, Error> {
    credentials::check_allowed(&call)?;
    get(call).await
}

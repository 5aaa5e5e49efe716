//! `POST /auth/{actor_type}/{auth_provider}/update`: a reset token for a new password.

use cr_core::error::Error;
use cr_core::workflows::complete_password_reset;
use cr_types::http::PasswordReset;

use crate::call::Call;
use crate::credentials;
use crate::gateway;
use crate::respond::Reply;
use crate::validation::Object;

/// Sets the password: 200 `{"message","success"}`.
///
/// # Errors
/// As [`complete_password_reset::run`]; 401 `Unauthorized` for a good token without a password, as Medusa says it.
pub async fn post(call: Call) -> Result<Reply, Error> {
    credentials::check_allowed(&call)?;
    if gateway::owns_passwords_of(&call) {
        return gateway::forward(&call, Some(&call.body)).await;
    }
    let actor_type = call.param("actor_type").to_owned();
    let token = call.bearer().filter(|_| credentials::is_known(&call)).unwrap_or_default().to_owned();
    complete_password_reset::check_token(call.app(), &token, &actor_type)?;
    let body = call.body.as_object().cloned().unwrap_or_default();
    let password = credentials::password(&body).map_err(|_| Error::unauthorized("Unauthorized"))?;
    let mut checked = Object::strict(&call.body)?;
    for key in ["password", "identifier", "email", "phone", "email_or_phone"] {
        checked.optional_string(key);
    }
    checked.finish()?;
    let named = credentials::of_reset(&call, &body)?;
    let (contact, identifier) = (named.contact, named.text);
    let input = complete_password_reset::Input { actor_type, contact, identifier, token, password };
    complete_password_reset::run(call.app(), input).await?;
    Reply::json(&PasswordReset { message: "Password reset successfully".to_owned(), success: true })
}

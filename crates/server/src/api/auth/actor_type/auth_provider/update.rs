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
        return of_the_upstream(&call).await;
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

/// Has the upstream set the password of an actor of its own, and ends that actor's sessions, which the upstream would leave.
///
/// # Errors
/// As [`gateway::ask`]; when the sessions cannot be ended, though the password is set by then: nobody is told that all is well.
async fn of_the_upstream(call: &Call) -> Result<Reply, Error> {
    let answer = gateway::ask(call, call.target.clone(), Some(&call.body)).await?;
    if answer.status().is_success() {
        let contact = credentials::provider_contact(call);
        complete_password_reset::end_sessions(call.app(), contact, call.bearer().unwrap_or_default()).await?;
    }
    Ok(Reply::passed(answer))
}

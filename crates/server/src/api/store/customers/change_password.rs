//! `POST /store/customers/change-password`.

use cr_core::error::Error;
use cr_core::workflows::change_password;
use cr_types::http::PasswordChanged;
use secrecy::SecretString;

use crate::call::Call;
use crate::respond::Reply;
use crate::validation::Object;

/// Changes the password: 200 `{"message","customer_id","token"}`.
///
/// # Errors
/// As [`change_password::run`].
pub async fn post(call: Call) -> Result<Reply, Error> {
    let mut body = Object::strict(&call.body)?;
    let old_password = SecretString::from(body.string("old_password"));
    let new_password = SecretString::from(body.string("new_password"));
    let confirm_password = SecretString::from(body.string("confirm_password"));
    body.finish()?;
    let customer_id = call.customer()?.id.clone();
    let claims = call.claims()?.clone();
    let input = change_password::Input { customer_id, claims, old_password, new_password, confirm_password };
    let output = change_password::run(call.app(), input).await?;
    let message = "Password changed successfully".to_owned();
    Reply::json(&PasswordChanged { message, customer_id: output.customer_id, token: output.token })
}

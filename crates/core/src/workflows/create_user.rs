//! The `user` command: an administrator with a password, as `medusa user` makes one.

use cr_db::DbError;
use cr_db::models::auth_identity;
use cr_db::models::provider_identity::{self, NewProviderIdentity};
use cr_db::models::user::{self, User};
use cr_types::ids::{AuthIdentityId, generate};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::app::App;
use crate::error::Error;
use crate::identifiers::Email;
use crate::options::ContactType;
use crate::password::check_policy;
use crate::workflows::register::invalid_identifier;

/// Makes an administrator; gives the new `user_…`.
///
/// # Errors
/// 400 for an e-mail that is none, and for a password that a customer could not take either; 422 when a user or an identity has it.
pub async fn run(app: &App, email: &str, password: SecretString) -> Result<String, Error> {
    let email = Email::parse(email).ok_or_else(|| invalid_identifier(ContactType::Email))?;
    check_policy(password.expose_secret(), &app.shared.options.password)?;
    let hash = app.hashes.hash(email.as_str(), password, app.shared.env.bytes()).await?;
    let mut cx = app.begin().await?;
    let user = User { id: generate("user", cx.now, cx.bytes()), email: email.as_str().to_owned() };
    let taken = || Error::duplicate(format!("User with email: {} already exists", email.as_str()));
    unique(user::insert(&mut cx.tx, &user, cx.now).await, taken)?;
    let id = AuthIdentityId::generate(cx.now, cx.bytes());
    auth_identity::insert(&mut cx.tx, &id, Some(&json!({ "user_id": user.id })), cx.now).await?;
    let row = generate("", cx.now, cx.bytes());
    let new = NewProviderIdentity {
        id: &row,
        entity_id: email.as_str(),
        provider: ContactType::Email.provider(),
        auth_identity_id: &id,
        password: &hash,
    };
    let exists = || Error::duplicate(format!("Identity with email {} already exists", email.as_str()));
    unique(provider_identity::insert(&mut cx.tx, &new, cx.now).await, exists)?;
    cx.commit().await?;
    Ok(user.id)
}

/// Turns a broken uniqueness into the sentence of the caller's choice.
///
/// # Errors
/// That sentence; or when the statement failed otherwise.
fn unique(result: Result<(), DbError>, taken: impl FnOnce() -> Error) -> Result<(), Error> {
    match result {
        Err(DbError::NotUnique { .. }) => Err(taken()),
        other => Ok(other?),
    }
}

//! Step `update-password`: the new hash on every credential of the account, and the end of all sessions.

use cr_db::models::provider_identity::ProviderIdentity;
use cr_db::models::{auth_identity, customer};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::auth::session;
use crate::modules::password_management::service::PasswordManagementService;

/// Writes the hash. Holds the customer, then its identities: the order of everybody who proves a contact, so that a credential
/// that is being made right now is either seen here or made under the new password.
///
/// # Errors
/// As [`PasswordManagementService::update_password`].
pub async fn run(cx: &mut Ctx, own: &ProviderIdentity, hash: &str) -> Result<(), Error> {
    cx.step("update-password")?;
    let Some(id) = own.identity.customer_id() else {
        PasswordManagementService::update_password(cx, own, hash).await?;
        return session::end(cx, &own.identity.id).await;
    };
    customer::lock(&mut cx.tx, &id).await?;
    for identity in auth_identity::list_of_customer(&mut cx.tx, &id).await? {
        auth_identity::lock(&mut cx.tx, &identity.id).await?;
    }
    PasswordManagementService::update_password(cx, own, hash).await?;
    session::end_all(cx, &id).await
}

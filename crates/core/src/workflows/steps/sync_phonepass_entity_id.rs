//! Step `sync-phonepass-entity-id`, for both contacts: the credential of a contact that logs in names it.

use cr_db::DbError;
use cr_db::models::auth_identity;
use cr_db::models::provider_identity::{self, NewProviderIdentity};
use cr_types::ids::{AuthIdentityId, CustomerId, generate};

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::customer::proof;
use crate::options::ContactType;

/// Brings the credential into line. One that exists is always moved; a missing one is made when logins take the contact, under the password that the account has.
///
/// # Errors
/// When a statement fails.
pub async fn run(cx: &mut Ctx, own: &CustomerId, contact: ContactType, value: &str) -> Result<(), Error> {
    // Held while the password is copied: a reset at the same moment changes it before this or after.
    let credentials = provider_identity::lock_of_customer(&mut cx.tx, own).await?;
    let exists = credentials.iter().any(|row| row.provider == contact.provider());
    let elsewhere = credentials.iter().find(|row| row.provider == contact.provider() && row.entity_id != value);
    if let Some(row) = elsewhere {
        provider_identity::update_entity_id(&mut cx.tx, &row.id, value, cx.now).await?;
    }
    if exists {
        return Ok(());
    }
    if !cx.shared.options.login_identifier.takes(contact) {
        return Ok(());
    }
    let Some(source) = credentials.iter().find(|row| row.provider == contact.other().provider()) else {
        return Ok(());
    };
    let Some(password) = source.password() else { return Ok(()) };
    let identity = if source.identity.is_shared() { own_identity(cx, own).await? } else { source.identity.id.clone() };
    let id = generate("", cx.now, cx.bytes());
    let new = NewProviderIdentity {
        id: &id,
        entity_id: value,
        provider: contact.provider(),
        auth_identity_id: &identity,
        password,
    };
    match provider_identity::insert(&mut cx.tx, &new, cx.now).await {
        Err(DbError::NotUnique { .. }) => Err(proof::taken(contact)),
        other => Ok(other?),
    }
}

/// An identity of the customer alone: where another actor shares the present one, a text message must not open that actor.
async fn own_identity(cx: &mut Ctx, own: &CustomerId) -> Result<AuthIdentityId, Error> {
    let id = AuthIdentityId::generate(cx.now, cx.bytes());
    let metadata = serde_json::json!({ "customer_id": own });
    auth_identity::insert(&mut cx.tx, &id, Some(&metadata), cx.now).await?;
    Ok(id)
}

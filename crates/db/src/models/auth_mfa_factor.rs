//! Medusa's `auth_mfa_factor`, read only: second factors of an identity. Only databases of Medusa 2.16 and newer have it.

use cr_types::ids::AuthIdentityId;

use crate::error::DbError;
use crate::tx::{Tx, on};

const HAS_ENABLED: &str = "select exists (select 1 from auth_mfa_factor \
     where auth_identity_id = $1 and status = 'enabled' and deleted_at is null)";

/// Whether an identity has a second factor that must be shown (status `enabled`, Medusa 2.21.2).
///
/// # Errors
/// When the statement fails, as where there is no such table.
pub async fn has_enabled(tx: &mut Tx, identity: &AuthIdentityId) -> Result<bool, DbError> {
    Ok(on!(tx, connection => sqlx::query_scalar(HAS_ENABLED).bind(identity.as_str()).fetch_one(connection).await?))
}

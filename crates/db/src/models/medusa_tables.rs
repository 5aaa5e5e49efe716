//! Which of Medusa's tables a database has: the newer ones came with later versions, and a database of our own has none of them.

use crate::error::DbError;
use crate::tx::{Handle, Tx, on};

const HAS_SQLITE: &str = "select exists (select 1 from sqlite_master where type = 'table' and name = $1)";
const HAS_POSTGRES: &str = "select to_regclass($1) is not null";

/// Tables that are looked for when a database is opened, and used only where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MedusaTables {
    /// `auth_mfa_factor`, since 2.16: second factors, which a login must not go around.
    pub mfa_factors: bool,
    /// `auth_verification`, since 2.16: contacts that Medusa itself has verified.
    pub verifications: bool,
    /// `customer_group_customer`: memberships that an erased customer leaves.
    pub customer_groups: bool,
}

/// Looks for all of them.
///
/// # Errors
/// When a statement fails.
pub async fn find(tx: &mut Tx) -> Result<MedusaTables, DbError> {
    Ok(MedusaTables {
        mfa_factors: has(tx, "auth_mfa_factor").await?,
        verifications: has(tx, "auth_verification").await?,
        customer_groups: has(tx, "customer_group_customer").await?,
    })
}

/// Whether there is a table of this name.
///
/// # Errors
/// When the statement fails.
pub async fn has(tx: &mut Tx, name: &str) -> Result<bool, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => HAS_SQLITE,
        Handle::Postgres(_) => HAS_POSTGRES,
    };
    Ok(on!(tx, connection => sqlx::query_scalar(sql).bind(name).fetch_one(connection).await?))
}

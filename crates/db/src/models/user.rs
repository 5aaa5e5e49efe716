//! Medusa's `user`: administrators.

use cr_types::ids::AuthIdentityId;
use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::models::auth_identity::AuthIdentity;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// One administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `user_…`.
    pub id: String,
    /// As stored.
    pub email: String,
}

const FIND: &str = "select id, email from \"user\" where id = $1 and deleted_at is null";

/// A live administrator by id.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<User>, DbError> {
    on!(tx, connection => sqlx::query(FIND)
        .bind(id)
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

/// A token that names no identity is judged by that of the user's own e-mail.
const FIND_IDENTITY: &str = "select a.id, a.app_metadata from \"user\" u join auth_identity a on a.deleted_at is null \
     and a.id = case when $2 <> '' then $2 else (select p.auth_identity_id from provider_identity p \
     where p.entity_id = u.email and p.provider = 'emailpass' and p.deleted_at is null) end \
     where u.id = $1 and u.deleted_at is null";

/// The identity that a live administrator's token names: one statement a guarded request. `None` when either is gone.
///
/// # Errors
/// When the statement fails.
pub async fn find_identity(tx: &mut Tx, id: &str, identity: &AuthIdentityId) -> Result<Option<AuthIdentity>, DbError> {
    on!(tx, connection => sqlx::query(FIND_IDENTITY)
        .bind(id)
        .bind(identity.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| AuthIdentity::from_columns(&row, "id"))
        .transpose())
}

fn from_row(row: &impl Columns) -> Result<User, DbError> {
    Ok(User { id: row.text("id")?, email: row.text("email")? })
}

const INSERT: &str = "insert into \"user\" (id, email, created_at, updated_at) values ($1, $2, $3, $3)";

/// Makes an administrator.
///
/// # Errors
/// [`DbError::NotUnique`] by `IDX_user_email_unique` when a live one has that e-mail.
pub async fn insert(tx: &mut Tx, user: &User, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(INSERT)
        .bind(&user.id)
        .bind(&user.email)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

//! Medusa's `user`: administrators.

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
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

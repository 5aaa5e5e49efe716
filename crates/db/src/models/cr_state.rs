//! Facts that outlive a process and have no column, such as when this database was first migrated.

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

const FIND: &str = "select value from cr_state where key = $1";

/// A fact, as text.
///
/// # Errors
/// When the statement fails.
pub async fn find(tx: &mut Tx, key: &str) -> Result<Option<String>, DbError> {
    let value = on!(tx, connection => sqlx::query_scalar::<_, String>(FIND)
        .bind(key)
        .fetch_optional(connection)
        .await?);
    Ok(value)
}

const REPLACE: &str = "insert into cr_state (key, value, updated_at) values ($1, $2, $3) \
     on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at";

/// Writes a fact in the place of the former one.
///
/// # Errors
/// When the statement fails.
pub async fn replace(tx: &mut Tx, key: &str, value: &str, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(REPLACE)
        .bind(key)
        .bind(value)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

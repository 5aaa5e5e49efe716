//! Facts about this database that outlive a process, such as when it was first migrated.

use crate::error::DbError;
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
        .await)?;
    Ok(value)
}

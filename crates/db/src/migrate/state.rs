//! What only the database can remember between two starts: `cr_state`.

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::stamp::Stamp;
use crate::tx::{Tx, on};

/// When `migrate` first ran; the default of `registration.verification_since`.
pub const VERIFICATION_SINCE: &str = "verification_since";
/// When true flags last got their proofs.
pub const FLAGS_ADOPTED: &str = "flags_adopted";
/// `true` where Medusa made the database; what `publishableKey: auto` asks.
pub const MEDUSA_MADE: &str = "medusa_made";

const FIND: &str = "select value from cr_state where key = $1";

const KEEP: &str = "\
insert into cr_state (key, value, updated_at)
values ($1, $2, $3)
on conflict (key) do nothing";

const SET: &str = "\
insert into cr_state (key, value, updated_at)
values ($1, $2, $3)
on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at
where cr_state.value <> excluded.value";

/// What is remembered under the key.
///
/// # Errors
/// When the statement fails, as where `migrate` has never run.
pub async fn find(tx: &mut Tx, key: &str) -> Result<Option<String>, DbError> {
    Ok(on!(tx, connection => sqlx::query_scalar::<_, String>(FIND).bind(key).fetch_optional(connection).await?))
}

/// Remembers a value unless one is there: the first stays.
///
/// # Errors
/// When the statement fails.
pub(super) async fn keep_first(tx: &mut Tx, key: &str, value: &str, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => {
        sqlx::query(KEEP).bind(key).bind(value).bind(Stamp(now)).execute(connection).await?;
    });
    Ok(())
}

/// Remembers a value in place of another.
///
/// # Errors
/// When the statement fails.
pub(super) async fn set(tx: &mut Tx, key: &str, value: &str, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => {
        sqlx::query(SET).bind(key).bind(value).bind(Stamp(now)).execute(connection).await?;
    });
    Ok(())
}

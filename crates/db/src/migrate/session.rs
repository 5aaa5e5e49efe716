//! The PostgreSQL connection that migrates: outside the pool, without the pool's time limits, under a lock that one
//! process at a time holds.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::error::DbError;
use crate::pool::Database;

/// The key of our advisory lock: `customer` in ASCII. sqlx's own lock has another, so the two never meet.
const LOCK: i64 = 0x6375_7374_6f6d_6572;

/// Pause between two tries for the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Tries for the lock: ten minutes, for another replica may be building an index of a large shop.
const LOCK_TRIES: u32 = 6000;

/// A statement may last, and go through a table as is best; waiting for a lock that a live shop holds may not, since everybody else
/// queues behind us.
const SETTINGS: &str = "\
set statement_timeout = 0;
set enable_seqscan = on;
set idle_in_transaction_session_timeout = 0;
set lock_timeout = '3s'";

/// How often a statement that could not get its lock is tried again.
pub(super) const RETRIES: u32 = 20;

/// Tries a step until another transaction no longer stands in its way, with a growing pause.
macro_rules! patiently {
    ($step:expr) => {{
        let mut attempt: u32 = 0;
        loop {
            match $step.await {
                Err($crate::error::DbError::Busy(_)) if attempt < $crate::migrate::session::RETRIES => {
                    attempt += 1;
                    $crate::migrate::session::pause(attempt).await;
                }
                other => break other,
            }
        }
    }};
}
pub(super) use patiently;

/// A tenth of a second more after each failure, two seconds at most.
pub(super) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)) * 100)).await;
}

/// Opens the connection and takes the lock; it is let go when the connection closes, however that happens. `None` on SQLite.
///
/// The lock is asked for again and again, not waited for: a statement that waits keeps a snapshot, and
/// `create index concurrently` in the process that holds the lock would wait for that snapshot forever.
///
/// # Errors
/// [`DbError::Migration`] when another process held the lock for ten minutes.
pub(super) async fn open(database: &Database) -> Result<Option<PgConnection>, DbError> {
    let Some(mut connection) = database.dedicated().await? else {
        return Ok(None);
    };
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
    for _ in 0..LOCK_TRIES {
        let locked: bool =
            sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut connection).await?;
        if locked {
            make_schema(&mut connection, database.schema()).await?;
            return Ok(Some(connection));
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
    Err(DbError::Migration(
        "another process has been migrating this database for ten minutes: see what it waits for".to_owned(),
    ))
}

/// Lets the lock go and closes the connection.
///
/// # Errors
/// When the server is gone; what was committed stays.
pub(super) async fn close(mut connection: PgConnection) -> Result<(), DbError> {
    sqlx::query("select pg_advisory_unlock($1)").bind(LOCK).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Makes the schema where it is missing, without asking for the right to where it is there.
async fn make_schema(connection: &mut PgConnection, schema: &str) -> Result<(), DbError> {
    let missing: bool = sqlx::query_scalar("select not exists (select 1 from pg_namespace where nspname = $1)")
        .bind(schema)
        .fetch_one(&mut *connection)
        .await?;
    if missing {
        let sql = format!("create schema if not exists {}", quoted(schema));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    }
    Ok(())
}

/// A name as an SQL identifier, whatever it holds.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

//! Counters that replicas share: a key (never a contact in the clear), a count within a window, a moment until which it is shut.

use cr_types::timestamp::Timestamp;

use crate::error::DbError;
use crate::row::Columns;
use crate::stamp::Stamp;
use crate::tx::{Handle, Tx, on};

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// What is counted.
    pub key: String,
    /// How often within the window.
    pub count: i64,
    /// When the window ends and counting starts anew.
    pub resets_at: Timestamp,
    /// Until when nothing is taken at all.
    pub blocked_until: Option<Timestamp>,
}

fn from_row(row: &impl Columns) -> Result<LimitRow, DbError> {
    Ok(LimitRow {
        key: row.text("key")?,
        count: row.integer("count")?,
        resets_at: row.time("resets_at")?,
        blocked_until: row.optional_time("blocked_until")?,
    })
}

/// Counts what was to be inserted on a row that is there already, if the window has room for one: what the present is called, and how
/// many have room.
macro_rules! on_conflict_take {
    ($now:literal, $most:literal) => {
        concat!(
            " on conflict (key) do update set count = case when cr_limit.resets_at <= ",
            $now,
            " then excluded.count else cr_limit.count + excluded.count end, resets_at = case when cr_limit.resets_at <= ",
            $now,
            " then excluded.resets_at else cr_limit.resets_at end, updated_at = ",
            $now,
            " where cr_limit.resets_at <= ",
            $now,
            " or cr_limit.count < ",
            $most
        )
    };
}
pub(crate) use on_conflict_take;

const TAKE: &str = concat!(
    "insert into cr_limit (key, count, resets_at, updated_at) values ($1, 1, $2, $3)",
    on_conflict_take!("$3", "$4"),
    " returning key, count, resets_at, blocked_until"
);

/// Counts one, if the window has room for it; `None` when it has not. The statement decides, for all replicas.
///
/// # Errors
/// When the statement fails.
pub async fn take(
    tx: &mut Tx,
    key: &str,
    max: i64,
    window_ends: Timestamp,
    now: Timestamp,
) -> Result<Option<LimitRow>, DbError> {
    on!(tx, connection => sqlx::query(TAKE)
        .bind(key)
        .bind(Stamp(window_ends))
        .bind(Stamp(now))
        .bind(max)
        .fetch_optional(connection)
        .await?
        .map(|row| from_row(&row))
        .transpose())
}

/// What is to be counted, or only looked at.
pub struct Taking<'a> {
    /// What is counted; no other of the same statement has it.
    pub key: &'a str,
    /// How many the window has room for.
    pub most: i64,
    /// 1; or 0 for what is refused as one more would be, waits for the same row, and uses nothing up. `None` is only looked at.
    pub amount: Option<i64>,
    /// When it ends, if it begins now.
    pub window_ends: Timestamp,
}

/// SQLite reads JSON as a table, whose rows are in their order.
const TAKE_ALL_SQLITE: &str = concat!(
    "insert into cr_limit (key, count, resets_at, updated_at) \
     select value ->> 'key', value ->> 'amount', value ->> 'ends', $2 from json_each($1) \
     where value ->> 'amount' is not null and not exists (select 1 from json_each($1) s \
     join cr_limit l on l.key = s.value ->> 'key' where l.resets_at > $2 and l.count >= s.value ->> 'most')",
    on_conflict_take!("$2", "(select m.value ->> 'most' from json_each($1) m where m.value ->> 'key' = excluded.key)"),
    " returning key"
);
/// PostgreSQL too; the order in which rows are locked is the order in which they come. It believes that there are a hundred, and would
/// rather go through all counters of a shop that has not very many, but for the `offset`, which makes it look up each.
const TAKE_ALL_POSTGRES: &str = concat!(
    "insert into cr_limit (key, count, resets_at, updated_at) select t.key, t.amount, t.ends, $2 \
     from rows from (jsonb_to_recordset($1) as (key text, amount bigint, ends timestamptz)) \
     with ordinality as t (key, amount, ends, place) \
     where t.amount is not null and not exists (select 1 from jsonb_to_recordset($1) as s (key text, most bigint) \
     cross join lateral (select count, resets_at from cr_limit where cr_limit.key = s.key offset 0) l \
     where l.resets_at > $2 and l.count >= s.most) \
     order by t.place",
    on_conflict_take!(
        "$2",
        "(select m.most from jsonb_to_recordset($1) as m (key text, most bigint) where m.key = excluded.key)"
    ),
    " returning key"
);

/// Counts those that are to be counted, in the order given: the keys of those that had room. Where one of all is seen to have none,
/// nothing is written; one that fills up while this waits for its row is missing among the keys. The statement decides, for all
/// replicas.
///
/// # Errors
/// When the statement fails.
pub async fn take_all(tx: &mut Tx, counters: &[Taking<'_>], now: Timestamp) -> Result<Vec<String>, DbError> {
    let list: serde_json::Value = counters
        .iter()
        .map(|it| {
            let ends = it.window_ends.to_string();
            serde_json::json!({ "key": it.key, "most": it.most, "amount": it.amount, "ends": ends })
        })
        .collect();
    match tx.handle() {
        Handle::Sqlite(connection) => {
            let query = sqlx::query(TAKE_ALL_SQLITE).bind(list).bind(Stamp(now));
            query.fetch_all(connection).await?.iter().map(|row| row.text("key")).collect()
        }
        Handle::Postgres(connection) => {
            let query = sqlx::query(TAKE_ALL_POSTGRES).bind(list).bind(Stamp(now));
            query.fetch_all(connection).await?.iter().map(|row| row.text("key")).collect()
        }
    }
}

const RENEW: &str = "insert into cr_limit (key, count, resets_at, updated_at) values ($1, 1, $2, $3) \
     on conflict (key) do update set count = 1, resets_at = $2, blocked_until = null, updated_at = $3";

/// Begins a counter's window anew, with one counted.
///
/// # Errors
/// When the statement fails.
pub async fn renew(tx: &mut Tx, key: &str, window_ends: Timestamp, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(RENEW)
        .bind(key)
        .bind(Stamp(window_ends))
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

/// SQLite has no arrays, but reads JSON as a table.
const LIST_SQLITE: &str = "select key, count, resets_at, blocked_until from cr_limit \
     where key in (select value from json_each($1)) order by key";
/// PostgreSQL takes the keys as an array, which it does not see when it plans: for fewer than it expects it would plan anew each time.
const LIST_POSTGRES: &str = "select key, count, resets_at, blocked_until from cr_limit \
     where key = any(array(select unnest($1::text[]))) order by key";

/// Those of some counters that there are.
///
/// # Errors
/// When the statement fails.
pub async fn list(tx: &mut Tx, keys: &[&str]) -> Result<Vec<LimitRow>, DbError> {
    let rows = match tx.handle() {
        Handle::Sqlite(connection) => {
            let query = sqlx::query(LIST_SQLITE).bind(serde_json::Value::from(keys));
            query.fetch_all(connection).await?.iter().map(from_row).collect()
        }
        Handle::Postgres(connection) => {
            let query = sqlx::query(LIST_POSTGRES).bind(keys);
            query.fetch_all(connection).await?.iter().map(from_row).collect()
        }
    };
    tx.note_answer();
    rows
}

const GIVE_BACK: &str = "update cr_limit set count = count - 1, updated_at = $2 where key = $1 and count > 0";

/// Takes one count back: a right answer costs nothing.
///
/// # Errors
/// When the statement fails.
pub async fn give_back(tx: &mut Tx, key: &str, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(GIVE_BACK)
        .bind(key)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const BLOCK: &str = "update cr_limit set blocked_until = $2, updated_at = $3 where key = $1";

/// Shuts a counter until a moment.
///
/// # Errors
/// When the statement fails.
pub async fn block(tx: &mut Tx, key: &str, until: Timestamp, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(BLOCK)
        .bind(key)
        .bind(Stamp(until))
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const CLAIM: &str = "update cr_limit set count = count + 1, blocked_until = $2, updated_at = $3 \
     where key = $1 and count = $4 and (blocked_until is null or blocked_until <= $3)";

/// Counts one and shuts the counter until a moment, if it is open and still where it was seen. The statement decides, for all
/// replicas: of those who saw the same opening, one gets it.
///
/// # Errors
/// When the statement fails.
pub async fn claim(tx: &mut Tx, seen: &LimitRow, until: Timestamp, now: Timestamp) -> Result<bool, DbError> {
    let changed = on!(tx, connection => sqlx::query(CLAIM)
        .bind(&seen.key)
        .bind(Stamp(until))
        .bind(Stamp(now))
        .bind(seen.count)
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

const UNCLAIM: &str =
    "update cr_limit set count = $2, blocked_until = null, updated_at = $3 where key = $1 and count = $2 + 1";

/// Undoes a [`claim`] that came to nothing, unless more was counted since.
///
/// # Errors
/// When the statement fails.
pub async fn unclaim(tx: &mut Tx, seen: &LimitRow, now: Timestamp) -> Result<(), DbError> {
    on!(tx, connection => sqlx::query(UNCLAIM)
        .bind(&seen.key)
        .bind(seen.count)
        .bind(Stamp(now))
        .execute(connection)
        .await
        .map(|_| ()))?;
    Ok(())
}

const CLEAR: &str = "delete from cr_limit where key = $1";

/// Forgets counters, one after the other in the order given: that in which failed logins are counted, so that the two never wait for each
/// other in a circle.
///
/// # Errors
/// When a statement fails.
pub async fn clear(tx: &mut Tx, keys: &[String]) -> Result<(), DbError> {
    for key in keys {
        on!(tx, connection => sqlx::query(CLEAR).bind(key).execute(connection).await.map(|_| ()))?;
    }
    Ok(())
}

/// Asked twice: a counter whose window began anew while this waited for it is not over any more.
macro_rules! prune {
    ($begin:literal, $end:literal) => {
        concat!(
            "delete from cr_limit where key ",
            $begin,
            "select key from cr_limit where resets_at < $1 and (blocked_until is null or blocked_until < $1) \
             order by resets_at limit 1000",
            $end,
            " and resets_at < $1 and (blocked_until is null or blocked_until < $1)"
        )
    };
}
const PRUNE_SQLITE: &str = prune!("in (", ")");
/// PostgreSQL would rather go through all that are over to find what an `in` names.
const PRUNE_POSTGRES: &str = prune!("= any(array(", "))");

/// Deletes up to 1000 counters whose window and block ended before the moment given; tells how many.
///
/// # Errors
/// When the statement fails.
pub async fn prune(tx: &mut Tx, before: Timestamp) -> Result<u64, DbError> {
    let sql = match tx.handle() {
        Handle::Sqlite(_) => PRUNE_SQLITE,
        Handle::Postgres(_) => PRUNE_POSTGRES,
    };
    Ok(on!(tx, connection => sqlx::query(sql)
        .bind(Stamp(before))
        .execute(connection)
        .await
        .map(|done| done.rows_affected()))?)
}

const DELETE_SQLITE: &str = "delete from cr_limit where key in (select value from json_each($1))";
const DELETE_POSTGRES: &str = "delete from cr_limit where key = any($1)";

/// Deletes many counters at once.
///
/// # Errors
/// When the statement fails.
pub async fn delete(tx: &mut Tx, keys: &[String]) -> Result<(), DbError> {
    match tx.handle() {
        Handle::Sqlite(connection) => {
            sqlx::query(DELETE_SQLITE).bind(serde_json::Value::from(keys)).execute(connection).await?;
        }
        Handle::Postgres(connection) => {
            sqlx::query(DELETE_POSTGRES).bind(keys).execute(connection).await?;
        }
    }
    Ok(())
}

/// SQLite compares bytes; its primary key serves.
const DELETE_KNOWN_SQLITE: &str = "delete from cr_limit where key >= $1 and key < $2 and key like 'loginKnown:%'";
/// PostgreSQL by the index of these keys, which compares bytes, too.
const DELETE_KNOWN_POSTGRES: &str = "delete from cr_limit \
     where key collate \"C\" >= $1 and key collate \"C\" < $2 and key like 'loginKnown:%'";

/// Deletes the addresses that are known to an identifier: all keys that begin with `loginKnown:{hmac}:`, given whole.
///
/// # Errors
/// When the statement fails.
pub async fn delete_known(tx: &mut Tx, start: &str) -> Result<(), DbError> {
    // The character after the colon.
    let end = format!("{};", start.strip_suffix(':').unwrap_or(start));
    match tx.handle() {
        Handle::Sqlite(connection) => {
            sqlx::query(DELETE_KNOWN_SQLITE).bind(start).bind(end).execute(connection).await?;
        }
        Handle::Postgres(connection) => {
            sqlx::query(DELETE_KNOWN_POSTGRES).bind(start).bind(end).execute(connection).await?;
        }
    }
    Ok(())
}

//! Moves a shop that outgrows its file to PostgreSQL: every table, batch by batch, in the order of foreign keys.
//!
//! Rows travel as JSON and are written by `on conflict … do update`, so that a copy that was killed is simply begun again. The file
//! is held by a write transaction until the end, so that nobody changes what is copied. The state `db_copy` in the target tells
//! whether a copy is under way or done: a target that was done is in use, and never written over.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use cr_types::timestamp::Timestamp;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection};

use crate::error::DbError;
use crate::migrate::{self, state};
use crate::pool::{Database, DatabaseKind};
use crate::tx::{Handle, Tx};

/// Every table and its key, referenced ones first. A test holds it against the migrations.
pub const TABLES: [(&str, &[&str]); 16] = [
    ("customer", &["id"]),
    ("customer_address", &["id"]),
    ("auth_identity", &["id"]),
    ("provider_identity", &["id"]),
    ("user", &["id"]),
    ("api_key", &["id"]),
    ("otp_verification", &["id"]),
    ("account_deletion_request", &["id"]),
    ("referral_link", &["id"]),
    ("cr_state", &["key"]),
    ("cr_outbox", &["id"]),
    ("cr_limit", &["key"]),
    ("cr_reset_token", &["auth_identity_id"]),
    ("cr_proof", &["customer_id", "channel"]),
    ("cr_referral_code", &["customer_id"]),
    ("cr_audit", &["id"]),
];
/// Tables that a Medusa may have rows in already, with what must be unique in them.
const SHARED: [(&str, &[&str]); 3] =
    [("user", &["email"]), ("provider_identity", &["entity_id", "provider"]), ("api_key", &["token"])];
/// Rows a statement.
const BATCH: i64 = 500;
/// Clashes that are named; there may be more.
const NAMED: usize = 20;
/// The state of the copy, in the target: [`RUNNING`], or the moment when it was done.
const STATE: &str = "db_copy";
/// The copy has begun and may begin again.
const RUNNING: &str = "running";
/// What belongs to a database and not to the shop in it: these rows are neither copied nor compared.
const OWN_STATE: [&str; 3] = [state::MEDUSA_MADE, state::FLAGS_ADOPTED, STATE];

/// One table, copied and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Rows on both sides.
    pub rows: u64,
    /// The sum of the rows' hashes on both sides, in 16 hexadecimal digits. It compares two sides of one run, no more.
    pub checksum: String,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table that is copied.
    pub table: &'static str,
    /// Rows of all tables that are there.
    pub done: u64,
    /// Rows of all tables.
    pub total: u64,
}

/// A column of the target.
struct Column {
    name: String,
    kind: String,
}

/// Copies everything from a file to a server, and compares. `now` is when it is done.
///
/// # Errors
/// [`DbError::Migration`] with what to do: the two are of the wrong kind or not migrated, the target has customers or something
/// that clashes, a copy to it was done before, or the two sides differ at the end. Else what a statement met; then it may be
/// begun again.
pub async fn run(
    source: &Database,
    target: &Database,
    now: Timestamp,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Vec<Copied>, DbError> {
    check_kinds(source, target).await?;
    let mut held = source.begin().await?;
    let Some(mut to) = migrate::open_dedicated(target).await? else { return Err(wrong_kinds()) };
    let outcome = copy_held(&mut held, &mut to, target.schema(), now, &mut progress).await;
    to.close().await?;
    held.roll_back().await?;
    outcome
}

/// The copy between a held file and a held server.
async fn copy_held(
    held: &mut Tx,
    to: &mut PgConnection,
    schema: &str,
    now: Timestamp,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Vec<Copied>, DbError> {
    let from = match held.handle() {
        Handle::Sqlite(connection) => connection,
        Handle::Postgres(_) => return Err(wrong_kinds()),
    };
    let begun = read_state(to).await?;
    match begun.as_deref() {
        Some(RUNNING) => {}
        Some(done) => {
            return Err(DbError::Migration(format!(
                "a copy to this database was done at {done}; it is in use since then and is not written over"
            )));
        }
        None => refuse_clashes(from, to).await?,
    }
    write_state(to, RUNNING, now).await?;
    let mut total = 0;
    for (table, _) in TABLES {
        total += count_sqlite(from, table).await?;
    }
    let mut done = 0;
    for (table, key) in TABLES {
        let columns = columns(to, schema, table).await?;
        check_columns(from, table, &columns).await?;
        let written = copy_table(from, to, table, key, &columns, |rows| {
            progress(Progress { table, done: done + rows, total });
        });
        done += written.await?;
    }
    let mut copied = Vec::new();
    for (table, key) in TABLES {
        let columns = columns(to, schema, table).await?;
        copied.push(compare(from, to, table, key, &columns).await?);
    }
    write_state(to, &now.to_string(), now).await?;
    Ok(copied)
}

/// From SQLite to PostgreSQL, both migrated by this program.
async fn check_kinds(source: &Database, target: &Database) -> Result<(), DbError> {
    if (source.kind(), target.kind()) != (DatabaseKind::Sqlite, DatabaseKind::Postgres) {
        return Err(wrong_kinds());
    }
    for (which, database) in [("source", source), ("target", target)] {
        if !migrate::status(database).await?.is_current() {
            return Err(DbError::Migration(format!("the {which} is not up to date; run `migrate` on it first")));
        }
    }
    Ok(())
}

/// The one direction that there is.
fn wrong_kinds() -> DbError {
    DbError::Migration("a copy goes from sqlite:// to postgres://".to_owned())
}

/// The state of a copy to this database, if one was begun.
async fn read_state(to: &mut PgConnection) -> Result<Option<String>, DbError> {
    Ok(sqlx::query_scalar("select value from cr_state where key = $1").bind(STATE).fetch_optional(to).await?)
}

/// Remembers how the copy stands.
async fn write_state(to: &mut PgConnection, value: &str, now: Timestamp) -> Result<(), DbError> {
    sqlx::query(
        "insert into cr_state (key, value, updated_at) values ($1, $2, $3::text::timestamptz) \
         on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(STATE)
    .bind(value)
    .bind(now.to_string())
    .execute(to)
    .await?;
    Ok(())
}

/// Makes sure that a new copy writes over nobody: no customers, and nothing unique that both sides have under different ids.
async fn refuse_clashes(from: &mut SqliteConnection, to: &mut PgConnection) -> Result<(), DbError> {
    let customers: i64 = sqlx::query_scalar("select count(*) from customer").fetch_one(&mut *to).await?;
    if customers > 0 {
        let some: Vec<String> =
            sqlx::query_scalar("select id from customer order by id limit 20").fetch_all(&mut *to).await?;
        return Err(DbError::Migration(format!(
            "the target has {customers} customers already, such as {}; copy to a database without any",
            some.join(", ")
        )));
    }
    let mut clashes = Vec::new();
    for (table, unique) in SHARED {
        let there = format!("select id, {} from \"{table}\"", unique.join(", "));
        let conditions: Vec<String> = unique.iter().map(|column| format!("{column} = ?")).collect();
        let here = format!("select id from \"{table}\" where {} and id <> ?", conditions.join(" and "));
        for row in sqlx::query(AssertSqlSafe(there)).fetch_all(&mut *to).await? {
            let id: String = row.try_get("id")?;
            let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(here.clone()));
            for column in unique {
                query = query.bind(row.try_get::<String, _>(*column)?);
            }
            let found = query.bind(&id).fetch_all(&mut *from).await?;
            clashes
                .extend(found.into_iter().map(|other| format!("{table} {other} of the source and {id} of the target")));
        }
    }
    if clashes.is_empty() {
        return Ok(());
    }
    let count = clashes.len();
    clashes.truncate(NAMED);
    Err(DbError::Migration(format!(
        "{count} rows clash: {}. Each pair has the same {}; remove one of the two",
        clashes.join("; "),
        "e-mail, credential or token"
    )))
}

/// The target's columns of a table.
async fn columns(to: &mut PgConnection, schema: &str, table: &str) -> Result<Vec<Column>, DbError> {
    let rows = sqlx::query(
        "select column_name::text as name, data_type::text as kind from information_schema.columns \
         where table_schema = $1 and table_name = $2 order by ordinal_position",
    )
    .bind(schema)
    .bind(table)
    .fetch_all(to)
    .await?;
    rows.iter().map(|row| Ok(Column { name: row.try_get("name")?, kind: row.try_get("kind")? })).collect()
}

/// Refuses a table of the source with a column that the target lacks.
async fn check_columns(from: &mut SqliteConnection, table: &str, columns: &[Column]) -> Result<(), DbError> {
    let here = columns_sqlite(from, table).await?;
    match here.iter().find(|name| columns.iter().all(|column| column.name != **name)) {
        None => Ok(()),
        Some(name) => Err(DbError::Migration(format!("the target's table {table} has no column {name}"))),
    }
}

/// The source's columns of a table.
async fn columns_sqlite(from: &mut SqliteConnection, table: &str) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar("select name from pragma_table_info(?)").bind(table).fetch_all(from).await?)
}

/// Rows of a table that are copied.
async fn count_sqlite(from: &mut SqliteConnection, table: &str) -> Result<u64, DbError> {
    let sql = format!("select count(*) from \"{table}\"{}", only_the_shops(table));
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(from).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Leaves [`OWN_STATE`] out.
fn only_the_shops(table: &str) -> String {
    if table != "cr_state" {
        return " where true".to_owned();
    }
    let keys: Vec<String> = OWN_STATE.iter().map(|key| format!("'{key}'")).collect();
    format!(" where key not in ({})", keys.join(", "))
}

/// A batch of the source after a key: one JSON object a row, with the types of the target.
async fn batch_sqlite(
    from: &mut SqliteConnection,
    table: &str,
    key: &[&str],
    columns: &[Column],
    after: Option<&[String]>,
) -> Result<Vec<Value>, DbError> {
    let here = columns_sqlite(from, table).await?;
    let pairs: Vec<String> = columns
        .iter()
        .filter(|column| here.contains(&column.name))
        .map(|Column { name, kind }| match kind.as_str() {
            "jsonb" => format!("'{name}', json(\"{name}\")"),
            "boolean" => {
                format!("'{name}', json(case \"{name}\" when true then 'true' when false then 'false' else 'null' end)")
            }
            _ => format!("'{name}', \"{name}\""),
        })
        .collect();
    let sql = format!(
        "select json_object({}) from \"{table}\"{}{} order by {} limit {BATCH}",
        pairs.join(", "),
        only_the_shops(table),
        beyond(key, after, "?", key.len()),
        key.join(", "),
    );
    let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
    for part in after.unwrap_or_default() {
        query = query.bind(part);
    }
    query.fetch_all(from).await?.iter().map(|text| parse(text)).collect()
}

/// A batch of the target after a key, one JSON object a row.
async fn batch_postgres(
    to: &mut PgConnection,
    table: &str,
    key: &[&str],
    after: Option<&[String]>,
) -> Result<Vec<Value>, DbError> {
    let sql = format!(
        "select to_jsonb(t) from \"{table}\" t{}{} order by {} limit {BATCH}",
        only_the_shops(table),
        beyond(key, after, "$", key.len()),
        key.join(", "),
    );
    let mut query = sqlx::query_scalar::<_, Value>(AssertSqlSafe(sql));
    for part in after.unwrap_or_default() {
        query = query.bind(part);
    }
    Ok(query.fetch_all(to).await?)
}

/// `and (key) > (…)`, or nothing at the beginning. PostgreSQL numbers its placeholders.
fn beyond(key: &[&str], after: Option<&[String]>, placeholder: &str, count: usize) -> String {
    if after.is_none() {
        return String::new();
    }
    let places: Vec<String> = (1..=count)
        .map(|number| if placeholder == "$" { format!("${number}") } else { placeholder.to_owned() })
        .collect();
    format!(" and ({}) > ({})", key.join(", "), places.join(", "))
}

/// A row as JSON.
fn parse(text: &str) -> Result<Value, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Inconsistent(format!("a row is no JSON: {error}")))
}

/// The key of the last row of a batch, where the next begins.
fn last_key(rows: &[Value], key: &[&str]) -> Option<Vec<String>> {
    let last = rows.last()?;
    key.iter().map(|column| last.get(*column)?.as_str().map(ToOwned::to_owned)).collect()
}

/// Copies one table; how many rows it has. `written` is told after each batch.
async fn copy_table(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &str,
    key: &[&str],
    columns: &[Column],
    mut written: impl FnMut(u64) + Send,
) -> Result<u64, DbError> {
    let here = columns_sqlite(from, table).await?;
    let names: Vec<String> = here.iter().map(|name| format!("\"{name}\"")).collect();
    let set: Vec<String> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
    let upsert = format!(
        "insert into \"{table}\" ({names}) select {names} from jsonb_populate_recordset(null::\"{table}\", $1) \
         on conflict ({}) do update set {}",
        key.join(", "),
        set.join(", "),
        names = names.join(", "),
    );
    let (mut after, mut rows) = (None, 0);
    loop {
        let batch = batch_sqlite(from, table, key, columns, after.as_deref()).await?;
        let Some(last) = last_key(&batch, key) else { return Ok(rows) };
        rows += batch.len() as u64;
        sqlx::query(AssertSqlSafe(upsert.clone())).bind(Value::Array(batch)).execute(&mut *to).await?;
        written(rows);
        after = Some(last);
    }
}

/// Reads both sides of a table and compares how many rows they have and the sum of their hashes, for which order is no matter: the
/// two databases sort texts in different ways.
async fn compare(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &'static str,
    key: &[&str],
    columns: &[Column],
) -> Result<Copied, DbError> {
    let here = columns_sqlite(from, table).await?;
    let mut sums = [(0_u64, 0_u64); 2];
    for (side, sum) in sums.iter_mut().enumerate() {
        let mut after = None;
        loop {
            let batch = match side {
                0 => batch_sqlite(from, table, key, columns, after.as_deref()).await?,
                _ => batch_postgres(to, table, key, after.as_deref()).await?,
            };
            let Some(last) = last_key(&batch, key) else { break };
            for row in &batch {
                *sum = (sum.0 + 1, sum.1.wrapping_add(hash(row, columns, &here)));
            }
            after = Some(last);
        }
    }
    let [source, target] = sums;
    if source == target {
        return Ok(Copied { table, rows: source.0, checksum: format!("{:016x}", source.1) });
    }
    Err(DbError::Migration(format!(
        "table {table} differs after the copy: {} rows in the source and {} in the target; if the source changed between two \
         tries, begin again with an empty target",
        source.0, target.0
    )))
}

/// A row's hash: times to the millisecond, keys of objects in order, only the columns that both sides have.
fn hash(row: &Value, columns: &[Column], here: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for Column { name, kind } in columns.iter().filter(|column| here.contains(&column.name)) {
        let value = row.get(name).unwrap_or(&Value::Null);
        let moment: Option<Timestamp> =
            value.as_str().filter(|_| kind.starts_with("timestamp")).and_then(|text| text.parse().ok());
        name.hash(&mut hasher);
        match moment {
            Some(moment) => moment.millis().hash(&mut hasher),
            None => hash_value(value, &mut hasher),
        }
    }
    hasher.finish()
}

/// A JSON value, numbers as doubles: PostgreSQL writes some of them in another way.
fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(is_true) => (1_u8, is_true).hash(hasher),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => (2_u8, integer).hash(hasher),
            None => (3_u8, number.as_f64().unwrap_or_default().to_bits()).hash(hasher),
        },
        Value::String(text) => (4_u8, text).hash(hasher),
        Value::Array(items) => {
            (5_u8, items.len()).hash(hasher);
            for item in items {
                hash_value(item, hasher);
            }
        }
        Value::Object(map) => {
            (6_u8, map.len()).hash(hasher);
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            for (key, item) in entries {
                key.hash(hasher);
                hash_value(item, hasher);
            }
        }
    }
}

//! Writes the crowd: in large batches, without the indexes that are cheaper to build at the end, and for once without waiting for
//! the disk at each of them.

use cr_core::env::Env;
use cr_core::password::{Algorithm, HashParams, HashPool};
use cr_db::{Database, DatabaseSettings, PLACE_TIMEOUT};
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use super::{MOST, PASSWORD, rows};
use crate::connection::TestConnection;

/// Rows that one statement writes, or would if there were one for every customer.
const BATCH: u32 = 100_000;
/// How far off is what has not happened yet.
const DAY_SECONDS: i64 = 24 * 3600;

/// How far it is: one of so many steps, and what it does.
pub struct Step<'a> {
    /// Steps that are done.
    pub done: usize,
    /// Steps that there are.
    pub all: usize,
    /// What comes now: a table, or an index.
    pub what: &'a str,
}

/// Migrates a database and fills it with customers 1 to `customers`, who share one hash of [`PASSWORD`]. Tells each step before it
/// is begun. The role must be a superuser, for foreign keys are not checked.
///
/// # Errors
/// When the database has customers already: these would have the same ids as some of them.
///
/// # Panics
/// When the database refuses something; or with more customers than [`MOST`].
pub async fn fill(url: &str, customers: u32, mut tell: impl FnMut(&Step<'_>)) -> Result<(), String> {
    assert!((1..=MOST).contains(&customers), "there are 1 to {MOST} customers");
    let env = Env::system();
    let now = env.clock.now();
    migrate(url, now).await;
    let mut connection = TestConnection::open(url).await;
    let found = connection.rows("select id from customer limit 1").await;
    if !found.is_empty() {
        return Err("the database has customers already: name an empty one".to_owned());
    }

    let hash = HashPool::new(1, Algorithm::Scrypt(HashParams::default()))
        .hash("", PASSWORD.into(), env.bytes())
        .await
        .expect("the password could not be hashed");
    let dialect = dialect(&connection, now);
    let shares = rows::all(customers, &hash, &dialect);
    let indexes = indexes(&mut connection, &shares).await;
    let batches = customers.div_ceil(BATCH);
    let all = shares.len() * batches as usize + indexes.len() + 1;
    let mut done = 0;
    let mut next = |what: &str| {
        tell(&Step { done, all, what });
        done += 1;
    };

    hurry(&mut connection).await;
    for (name, _) in &indexes {
        sql(&mut connection, &format!("drop index \"{name}\"")).await;
    }
    for share in &shares {
        for batch in 0..batches {
            next(share.table.split(' ').next().unwrap_or_default());
            let numbers = batch * BATCH + 1..=((batch + 1) * BATCH).min(customers);
            connection.insert_numbered_where(share.table, &share.values, &share.condition, &numbers).await;
        }
    }
    for (name, definition) in &indexes {
        next(name);
        sql(&mut connection, definition).await;
    }
    next("what the planner knows");
    settle(&mut connection).await;
    connection.close().await;
    tell(&Step { done, all, what: "done" });
    Ok(())
}

/// Runs a statement that the database must take.
async fn sql(connection: &mut TestConnection, sql: &str) {
    connection.try_sql(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
}

/// Brings the tables to where the program wants them, as its own `migrate` does.
async fn migrate(url: &str, now: Timestamp) {
    let settings = DatabaseSettings {
        url: url.to_owned(),
        schema: "public".to_owned(),
        min_connections: 0,
        max_connections: 2,
        place_timeout: PLACE_TIMEOUT,
    };
    let database = Database::connect(&settings).await.expect("the database could not be opened");
    cr_db::migrate::run(&database, now).await.expect("the database could not be migrated");
    database.close().await;
}

/// What the kind of database needs, and two moments: everything happened now, too lately to be pruned, or is tomorrow's.
fn dialect(connection: &TestConnection, now: Timestamp) -> rows::Dialect {
    let (json, digest) = match connection {
        TestConnection::Postgres(_) => ("::jsonb", "md5(random()::text) || md5(random()::text)"),
        TestConnection::Sqlite(_) => ("", "lower(hex(randomblob(32)))"),
    };
    let quoted = |moment: Timestamp| format!("'{moment}'");
    rows::Dialect { json, digest, then: quoted(now), tomorrow: quoted(now.plus_seconds(DAY_SECONDS)) }
}

/// Name and definition of every index of the tables to be filled that belongs to no constraint.
async fn indexes(connection: &mut TestConnection, shares: &[rows::Rows]) -> Vec<(String, String)> {
    let statement = match connection {
        TestConnection::Postgres(_) => {
            "select c.relname as table_name, i.relname as name, pg_get_indexdef(x.indexrelid) as definition from pg_index x \
             join pg_class i on i.oid = x.indexrelid join pg_class c on c.oid = x.indrelid \
             join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public' \
             where not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid) order by 1, 2"
        }
        TestConnection::Sqlite(_) => {
            "select tbl_name as table_name, name, sql as definition from sqlite_master \
             where type = 'index' and sql is not null order by 1, 2"
        }
    };
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_filled = |row: &&Value| {
        let table = text(row, "table_name");
        shares.iter().any(|share| share.table.split(' ').next() == Some(table.as_str()))
    };
    let rows = connection.rows(statement).await;
    rows.iter().filter(is_filled).map(|row| (text(row, "name"), text(row, "definition"))).collect()
}

/// For this connection alone: no wait for the disk, no foreign keys, and room to sort indexes in. Until [`settle`]: room in the pages.
async fn hurry(connection: &mut TestConnection) {
    let statement = match connection {
        TestConnection::Postgres(_) => {
            // Customers are changed as long as they live, and each page that one was changed on has room for the next version; a page that
            // was filled to its brim in one go has none.
            "set synchronous_commit = off; set session_replication_role = replica; set maintenance_work_mem = '1GB'; \
             alter table customer set (fillfactor = 90)"
        }
        TestConnection::Sqlite(_) => {
            "pragma synchronous = off; pragma foreign_keys = off; pragma cache_size = -1000000; pragma temp_store = memory"
        }
    };
    sql(connection, statement).await;
}

/// What a shop's database has done long since: statistics are there, nothing waits to be vacuumed, and all is on the disk.
async fn settle(connection: &mut TestConnection) {
    let statements: &[&str] = match connection {
        TestConnection::Postgres(_) => &["alter table customer reset (fillfactor)", "vacuum analyze", "checkpoint"],
        TestConnection::Sqlite(_) => &["pragma synchronous = full", "analyze", "pragma wal_checkpoint(truncate)"],
    };
    for statement in statements {
        sql(connection, statement).await;
    }
}

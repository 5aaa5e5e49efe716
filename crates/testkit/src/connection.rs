//! One connection of a test's own, and rows that are equal from both databases.

use std::ops::RangeInclusive;

use cr_db::DbError;
use cr_types::timestamp::Timestamp;
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column, Connection, PgConnection, Row, SqliteConnection, TypeInfo, ValueRef};

/// An open connection beside any pool; see [`TestDatabase::open`](crate::TestDatabase::open).
pub enum TestConnection {
    /// On the file.
    Sqlite(SqliteConnection),
    /// On the server.
    Postgres(PgConnection),
}

impl TestConnection {
    /// A connection to a database that is no test's own, by its `sqlite://` or `postgres://` address.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(url).await.unwrap())
        }
    }

    /// Runs statements that the database may refuse.
    ///
    /// # Errors
    /// When it does.
    pub async fn try_sql(&mut self, sql: &str) -> Result<(), DbError> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ())?,
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(|_| ())?,
        }
        Ok(())
    }

    /// The rows of one statement; see [`TestDatabase::rows`](crate::TestDatabase::rows).
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn rows(&mut self, sql: &str) -> Vec<Value> {
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
                rows.iter().map(sqlite_row).collect()
            }
            Self::Postgres(connection) => {
                // Statements that write can only stand in a `with`.
                let sql = format!("with statement as ({sql}) select to_jsonb(statement) from statement");
                let rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
                rows.into_iter().map(postgres_row).collect()
            }
        }
    }

    /// Inserts a row for each number: `table` is `name (columns)`, `values` what `select` gives for the number `i`.
    ///
    /// # Panics
    /// When the database refuses a row.
    pub async fn insert_numbered(&mut self, table: &str, values: &str, numbers: &RangeInclusive<u32>) {
        self.insert_numbered_where(table, values, "true", numbers).await;
    }

    /// The same for those numbers alone for which `condition` holds.
    ///
    /// # Panics
    /// When the database refuses a row.
    pub async fn insert_numbered_where(
        &mut self,
        table: &str,
        values: &str,
        condition: &str,
        numbers: &RangeInclusive<u32>,
    ) {
        let sql = format!(
            "insert into {table} with recursive n (i) as (select {} union all select i + 1 from n where i < {}) \
             select {values} from n where {condition}",
            numbers.start(),
            numbers.end(),
        );
        self.try_sql(&sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// Ends it.
    ///
    /// # Panics
    /// When the database does not take leave.
    pub async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}

/// One SQLite row: booleans by the column's declared type, JSON where text looks like it.
fn sqlite_row(row: &SqliteRow) -> Value {
    let mut object = Map::new();
    for column in row.columns() {
        let index = column.ordinal();
        let raw = row.try_get_raw(index).unwrap();
        let stored = raw.type_info().name().to_owned();
        let declared = column.type_info().name().to_owned();
        let value = match stored.as_str() {
            _ if raw.is_null() => Value::Null,
            _ if declared == "BOOLEAN" => row.try_get::<bool, _>(index).unwrap().into(),
            "INTEGER" | "BIGINT" | "INT4" | "INT8" | "BOOLEAN" => row.try_get::<i64, _>(index).unwrap().into(),
            "REAL" => row.try_get::<f64, _>(index).unwrap().into(),
            "BLOB" => row.try_get::<Vec<u8>, _>(index).unwrap().into(),
            _ => json_or_text(row.try_get(index).unwrap()),
        };
        object.insert(column.name().to_owned(), value);
    }
    Value::Object(object)
}

/// An object or a list where the text is one; else the text.
fn json_or_text(text: String) -> Value {
    let looks_like_json = text.starts_with(['{', '[']);
    match serde_json::from_str(&text) {
        Ok(value) if looks_like_json => value,
        _ => Value::String(text),
    }
}

/// One PostgreSQL row with its times as we print them.
fn postgres_row(row: Value) -> Value {
    let Value::Object(mut object) = row else { return row };
    for value in object.values_mut() {
        if let Some(moment) = value.as_str().filter(|text| text.contains('T')).and_then(|text| text.parse().ok()) {
            *value = Timestamp::to_string(&moment).into();
        }
    }
    Value::Object(object)
}

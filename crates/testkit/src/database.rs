//! A database of either kind for one test: a file in a folder of its own, or a copy of a migrated PostgreSQL template.

use std::fmt::Write as _;
use std::time::Duration;

use cr_db::{Database, DatabaseKind, DatabaseSettings, DbError};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::connection::TestConnection;
use crate::frozen::START;
use crate::postgres;

/// One test's database; gone when dropped.
pub enum TestDatabase {
    /// A file; WAL and locks are part of what is tested, so it is not in memory.
    Sqlite {
        /// `sqlite://…?mode=rwc`.
        url: String,
        /// The folder that goes with it.
        folder: TempDir,
    },
    /// A database of the shared server.
    Postgres {
        /// `postgres://…`.
        url: String,
        /// Drops the database when dropped.
        owner: postgres::Owned,
    },
}

impl TestDatabase {
    /// A SQLite file with our tables.
    pub async fn sqlite() -> Self {
        let database = Self::empty_sqlite();
        database.connect().await.close().await;
        database
    }

    /// A PostgreSQL database with our tables.
    pub async fn postgres() -> Self {
        Self::from_owned(postgres::create_migrated().await)
    }

    /// A SQLite URL whose file does not exist yet.
    pub fn empty_sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display());
        Self::Sqlite { url, folder }
    }

    /// A PostgreSQL database without a table.
    pub async fn empty_postgres() -> Self {
        Self::from_owned(postgres::create_empty().await)
    }

    /// A database with what another one has now, to which nobody may be connected.
    ///
    /// # Panics
    /// When somebody is: then a part of it may still be in SQLite's log.
    pub async fn copy(&self) -> Self {
        match self {
            Self::Postgres { owner, .. } => Self::from_owned(owner.copy().await),
            Self::Sqlite { folder, .. } => {
                let copy = Self::empty_sqlite();
                let Self::Sqlite { folder: target, .. } = &copy else { return copy };
                assert!(!folder.path().join("test.db-wal").exists(), "somebody is connected");
                std::fs::copy(folder.path().join("test.db"), target.path().join("test.db")).unwrap();
                copy
            }
        }
    }

    /// A database of the shared server, dropped with the value.
    pub(crate) fn from_owned(owner: postgres::Owned) -> Self {
        Self::Postgres { url: owner.url().to_owned(), owner }
    }

    /// What `databaseUrl` would be.
    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite { url, .. } | Self::Postgres { url, .. } => url,
        }
    }

    /// Which of the two it is.
    pub fn kind(&self) -> DatabaseKind {
        match self {
            Self::Sqlite { .. } => DatabaseKind::Sqlite,
            Self::Postgres { .. } => DatabaseKind::Postgres,
        }
    }

    /// Settings with a few connections, so that many tests fit one server, and time to wait for one on a machine that does much else.
    pub fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            url: self.url().to_owned(),
            schema: "public".to_owned(),
            min_connections: 0,
            max_connections: 8,
            place_timeout: Duration::from_mins(1),
        }
    }

    /// An open database, migrated.
    pub async fn connect(&self) -> Database {
        let database = self.connect_as_is().await;
        cr_db::migrate::run(&database, START.parse().unwrap()).await.expect("could not migrate the test's database");
        database
    }

    /// An open database, as it is.
    pub async fn connect_as_is(&self) -> Database {
        Database::connect(&self.settings()).await.expect("could not open the test's database")
    }

    /// Runs statements, for fixtures.
    ///
    /// # Panics
    /// When the database refuses one.
    pub async fn sql(&self, sql: &str) {
        self.try_sql(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    }

    /// Runs statements that the database may refuse.
    ///
    /// # Errors
    /// When it does.
    pub async fn try_sql(&self, sql: &str) -> Result<(), DbError> {
        let mut connection = self.open().await;
        let result = connection.try_sql(sql).await;
        connection.close().await;
        result
    }

    /// The rows of one statement as JSON objects, equal from both databases: times as `2026-01-02T03:04:05.678Z`, JSON
    /// columns as JSON.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let mut connection = self.open().await;
        let rows = connection.rows(sql).await;
        connection.close().await;
        rows
    }

    /// A connection beside any pool, for a test that asks often.
    pub async fn open(&self) -> TestConnection {
        match self {
            Self::Sqlite { .. } => TestConnection::Sqlite(self.open_sqlite().await),
            Self::Postgres { .. } => TestConnection::Postgres(self.open_postgres().await),
        }
    }

    /// All rows of all tables, but for the tables named, in an order of their own: equal dumps, equal data.
    ///
    /// Shape: a line `table` and below it a line ` {…}` a row. `cr_migrations` is left out, for it holds durations.
    pub async fn dump(&self, except: &[&str]) -> String {
        let tables = match self {
            Self::Sqlite { .. } => {
                "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
            }
            Self::Postgres { .. } => {
                "select table_name as name from information_schema.tables where table_schema = 'public' order by table_name"
            }
        };
        let mut connection = self.open().await;
        let mut names: Vec<_> = connection
            .rows(tables)
            .await
            .iter()
            .map(|row| row.get("name").unwrap().as_str().unwrap().to_owned())
            .collect();
        names.sort();
        let mut dump = String::new();
        for name in names.iter().filter(|name| *name != "cr_migrations" && !except.contains(&name.as_str())) {
            let rows = connection.rows(&format!("select * from \"{name}\"")).await;
            let mut lines: Vec<_> = rows.into_iter().map(|row| sorted(row).to_string()).collect();
            lines.sort();
            writeln!(dump, "{name}").unwrap();
            for line in lines {
                writeln!(dump, " {line}").unwrap();
            }
        }
        connection.close().await;
        dump
    }

    /// A transaction of somebody else's that ran the statement and stays open, with all its locks.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn hold(&self, sql: &str) -> Held {
        let sql = AssertSqlSafe(format!("begin; {sql}"));
        match self {
            Self::Sqlite { .. } => {
                let mut connection = self.open_sqlite().await;
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                Held::Sqlite(connection)
            }
            Self::Postgres { .. } => {
                let mut connection = self.open_postgres().await;
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
                Held::Postgres(connection)
            }
        }
    }

    /// A connection of the driver's, beside any pool.
    async fn open_sqlite(&self) -> SqliteConnection {
        let options: SqliteConnectOptions = self.url().parse().unwrap();
        options.foreign_keys(true).disable_statement_logging().connect().await.unwrap()
    }

    /// A connection of the driver's, beside any pool.
    async fn open_postgres(&self) -> PgConnection {
        PgConnection::connect(self.url()).await.unwrap()
    }
}

/// An open transaction of [`TestDatabase::hold`].
pub enum Held {
    /// On the file.
    Sqlite(SqliteConnection),
    /// On the server.
    Postgres(PgConnection),
}

impl Held {
    /// Commits it, and with that lets its locks go.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn commit(self) {
        match self {
            Self::Sqlite(mut connection) => {
                sqlx::raw_sql("commit").execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(mut connection) => {
                sqlx::raw_sql("commit").execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

/// The object with its keys in order: PostgreSQL and SQLite have a table's columns in different ones.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            entries.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>().into()
        }
        other => other,
    }
}

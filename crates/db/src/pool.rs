//! Connections: on SQLite one writer and a few readers of one WAL file, on PostgreSQL a pool.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, PgConnection};

use crate::error::DbError;
use crate::held::{Held, PATIENCE};
use crate::models::medusa_tables::{self, MedusaTables};
use crate::places::Places;
use crate::readers::Readers;
use crate::tx::Tx;
use crate::writer::{Alone, Writers};

/// Milliseconds that SQLite waits for another process's write lock.
const SQLITE_BUSY: Duration = Duration::from_secs(5);
/// KiB of a SQLite file that a connection keeps in memory at most, negative as SQLite wants it: of pages that it changes, and of those
/// beyond [`SQLITE_MAPPED`]. Taken as they come, so a small shop takes none of it. SQLite's own 2 MiB do not hold the inner pages of a
/// million customers' indexes: without the map, to find one of them took six times as long as one of a thousand, with this three times.
const SQLITE_CACHE: &str = "-32768";
/// Bytes at the beginning of a SQLite file that a connection reads where the system has them, and does not copy page by page: the most
/// that SQLite takes. Among a million customers a request that reads took 1.3 to 1.4 times as long as among a thousand, with this 1.1
/// to 1.3 times. A disk that fails under such a read ends the process (SIGBUS) where a copy would have failed; in the index of the log, which
/// SQLite maps in any case, it did so before, and nothing that was answered is lost by it.
const SQLITE_MAPPED: &str = "2147418112";
/// PostgreSQL ends a statement, and a transaction left open, after these many milliseconds. And it goes by an index where there is one:
/// a table that was small when it last looked it would go through, and in a shop that has just begun to grow it believes so for a minute
/// and longer. Among 2,700 proofs that were not there when it looked, a code that came back took PostgreSQL twice as long by that. What
/// has no index it goes through all the same, at a price beyond measure, for which it would compile the statement first (`jit`).
const POSTGRES_OPTIONS: [(&str, &str); 4] = [
    ("statement_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// Why there is no connection. Whatever the server says while one is opened (no such database, no connections allowed,
/// wrong password) is no failed statement: it may pass, and the caller may come back.
fn no_connection(error: sqlx::Error) -> DbError {
    match DbError::from(error) {
        DbError::Driver(error) => DbError::Unavailable(error),
        known => known,
    }
}

/// Which of the two databases this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// An embedded file.
    Sqlite,
    /// A server, Medusa's own or an empty one.
    Postgres,
}

/// Where the data lives and how many connections may be open.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `sqlite://…` or `postgres://…`; may hold a password, so this type has no `Debug`.
    pub url: String,
    /// PostgreSQL schema; ignored on SQLite.
    pub schema: String,
    /// Connections kept open.
    pub min_connections: u32,
    /// Connections at most; on SQLite the number of readers beside the one writer.
    pub max_connections: u32,
    /// How long to wait for one; [`crate::PLACE_TIMEOUT`] for whoever answers requests.
    pub place_timeout: Duration,
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pools: Pools,
    schema: String,
    medusa_tables: MedusaTables,
}

#[derive(Clone)]
enum Pools {
    Sqlite { writers: Arc<Writers>, readers: Arc<Readers> },
    Postgres(Arc<Places>),
}

impl Database {
    /// Opens the database. SQLite files are made when the URL asks for it (`mode=rwc`).
    ///
    /// # Errors
    /// [`DbError::Migration`] with a sentence when the URL is neither `sqlite://` nor `postgres://`;
    /// [`DbError::Unavailable`] when it cannot be opened.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, DbError> {
        let pools = if settings.url.starts_with("sqlite:") {
            Self::connect_sqlite(settings).await?
        } else if settings.url.starts_with("postgres://") || settings.url.starts_with("postgresql://") {
            Self::connect_postgres(settings).await?
        } else {
            return Err(DbError::Migration("databaseUrl must start with sqlite:// or postgres://".to_owned()));
        };
        let mut database = Self { pools, schema: settings.schema.clone(), medusa_tables: MedusaTables::default() };
        let mut tx = database.read().await?;
        database.medusa_tables = medusa_tables::find(&mut tx).await?;
        tx.commit().await?;
        Ok(database)
    }

    /// One writer that never goes away, and readers that cannot write.
    async fn connect_sqlite(settings: &DatabaseSettings) -> Result<Pools, DbError> {
        let options = SqliteConnectOptions::from_str(&settings.url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(SQLITE_BUSY)
            .pragma("cache_size", SQLITE_CACHE)
            .pragma("mmap_size", SQLITE_MAPPED);
        // A test counts statements by sqlx's own lines, which name no value.
        let options = if cfg!(feature = "statement-log") { options } else { options.disable_statement_logging() };
        // What the savepoints of many could take back is kept in memory, not in a file beside the database.
        let writers = Arc::new(Writers::open(options.clone().pragma("temp_store", "memory")).await?);
        let options = options.create_if_missing(false).pragma("query_only", "on");
        let readers = Readers::open(options, settings.max_connections.clamp(1, 4), settings.place_timeout).await?;
        Ok(Pools::Sqlite { writers, readers })
    }

    /// A pool whose connections see the configured schema and give up on a statement that hangs.
    async fn connect_postgres(settings: &DatabaseSettings) -> Result<Pools, DbError> {
        let options = PgConnectOptions::from_str(&settings.url)?
            .application_name("customer-registration")
            .options(POSTGRES_OPTIONS)
            .options([("search_path", format!("\"{}\"", settings.schema.replace('"', "\"\"")))])
            .disable_statement_logging();
        let most = settings.max_connections.max(1);
        let pool = PgPoolOptions::new()
            // While the network is silent, the pool may wait minutes for each of those that it keeps open: one place is left.
            .min_connections(settings.min_connections.min(most - 1))
            .max_connections(most)
            .acquire_timeout(settings.place_timeout)
            .connect_with(options)
            .await?;
        Ok(Pools::Postgres(Places::new(pool, settings.place_timeout)))
    }

    /// Which of Medusa's own tables there are. Looked for when the database was opened.
    pub fn medusa_tables(&self) -> MedusaTables {
        self.medusa_tables
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        match self.pools {
            Pools::Sqlite { .. } => DatabaseKind::Sqlite,
            Pools::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// The PostgreSQL schema that statements run in.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Opens a transaction that may write. On SQLite it is `BEGIN IMMEDIATE`: a deferred one that reads before it writes
    /// fails at once with `SQLITE_BUSY`, whatever the busy timeout. What is read in it may be another's that is not durable yet: who
    /// answers well by it commits first, even without having written.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection comes free, [`DbError::Busy`] when another process holds the file.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        Ok(match &self.pools {
            Pools::Sqlite { writers, .. } => Tx::sqlite_write(writers.begin().await.map_err(no_connection)?),
            Pools::Postgres(places) => {
                let mut held = Held::take(places).await.map_err(no_connection)?;
                held.begin().await.map_err(no_connection)?;
                Tx::postgres(held)
            }
        })
    }

    /// Opens a transaction for one statement. PostgreSQL has none around it: one round trip in the place of three. It is durable once
    /// [`Tx::commit`] has followed, and it may be without: on PostgreSQL once it was answered, on SQLite where others write in the same
    /// transaction.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub async fn single(&self) -> Result<Tx, DbError> {
        match &self.pools {
            Pools::Sqlite { writers, .. } => Ok(Tx::sqlite_write(writers.single().await.map_err(no_connection)?)),
            Pools::Postgres(_) => self.read().await,
        }
    }

    /// The file's writing connection for oneself and in no transaction, for what begins transactions of its own: migrations. `None`
    /// on PostgreSQL.
    ///
    /// # Errors
    /// As [`Database::begin`].
    pub(crate) async fn write_alone(&self) -> Result<Option<Alone>, DbError> {
        match &self.pools {
            Pools::Sqlite { writers, .. } => Ok(Some(writers.alone().await.map_err(no_connection)?)),
            Pools::Postgres(_) => Ok(None),
        }
    }

    /// A connection for statements that only read and need no common snapshot.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection comes free.
    pub async fn read(&self) -> Result<Tx, DbError> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Tx::sqlite_read(readers.take().await.map_err(no_connection)?),
            Pools::Postgres(places) => Tx::postgres(Held::take(places).await.map_err(no_connection)?),
        })
    }

    /// A connection outside the PostgreSQL pool, for work that may last longer than a request; `None` on SQLite.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the server cannot be reached.
    pub(crate) async fn dedicated(&self) -> Result<Option<PgConnection>, DbError> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(None),
            Pools::Postgres(places) => Ok(Some(places.pool().connect_options().connect().await?)),
        }
    }

    /// Closes all connections after what runs on them has ended. One to a server that fell silent is not waited for.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writers, readers } => {
                readers.close().await;
                if let Err(error) = writers.close().await {
                    tracing::warn!(%error, "The writing connection did not close as it should");
                }
            }
            Pools::Postgres(places) => {
                places.close();
                if tokio::time::timeout(PATIENCE, places.pool().close()).await.is_err() {
                    tracing::warn!("The database took no leave; its connections are cut");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cr_types::timestamp::Timestamp;

    use super::*;
    use crate::models::{cr_limit, cr_outbox_lease, cr_state, customer};
    use crate::tx::Handle;

    /// A new file in a folder.
    async fn open_file(folder: &tempfile::TempDir) -> Database {
        let settings = DatabaseSettings {
            url: format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display()),
            schema: String::new(),
            min_connections: 0,
            max_connections: 2,
            place_timeout: Duration::from_secs(5),
        };
        Database::connect(&settings).await.unwrap()
    }

    /// A start asks several things, one after the other, and so does a login: each further connection would take it some milliseconds.
    #[tokio::test]
    async fn whoever_reads_leaves_the_connection_to_the_next_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = open_file(&folder).await;
        crate::migrate::run(&database, Timestamp::from_millis(0).unwrap()).await.unwrap();
        let Pools::Sqlite { readers, .. } = &database.pools else { panic!("this is no SQLite") };
        macro_rules! asks {
            ($tx:ident => $question:expr) => {
                let mut $tx = database.read().await.unwrap();
                $question.await.unwrap();
                assert_eq!(readers.count_resting(), 0);
                drop($tx);
                assert_eq!(readers.count_resting(), 1, stringify!($question));
            };
        }
        asks!(tx => medusa_tables::find(&mut tx));
        asks!(tx => cr_limit::list(&mut tx, &["a", "b"]));
        asks!(tx => customer::list_names(&mut tx, &["cus_1"]));
        asks!(tx => cr_state::find(&mut tx, "a"));
        asks!(tx => cr_outbox_lease::find_next_due(&mut tx));
    }

    /// SQLite cuts what it is asked for to what it was built with, and says nothing.
    #[tokio::test]
    async fn sqlite_does_what_it_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let database = open_file(&folder).await;
        for mut tx in [database.read().await.unwrap(), database.begin().await.unwrap()] {
            let Handle::Sqlite(connection) = tx.handle() else { panic!("this is no SQLite") };
            for (pragma, expected) in [("mmap_size", SQLITE_MAPPED), ("cache_size", SQLITE_CACHE), ("synchronous", "2")]
            {
                let sql = sqlx::AssertSqlSafe(format!("pragma {pragma}"));
                let value: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap();
                assert_eq!(value.to_string(), expected, "{pragma}");
            }
        }
    }
}

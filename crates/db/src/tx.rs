//! One open connection of either database, and the macro that writes a statement once for both.

use sqlx::SqliteConnection;

use crate::error::DbError;
use crate::held::{Bounded, Held};
use crate::readers::Reader;
use crate::writer::Writer;

/// An open transaction, or a connection for reading alone. Dropped without [`Tx::commit`], a transaction rolls back.
#[must_use = "a transaction that is dropped rolls back"]
pub struct Tx {
    inner: Inner,
}

enum Inner {
    SqliteWrite(Writer),
    SqliteRead(Reader),
    Postgres(Held),
}

/// What a statement runs on: the two drivers' own connection types.
pub(crate) enum Handle<'a> {
    /// SQLite.
    Sqlite(&'a mut SqliteConnection),
    /// PostgreSQL.
    Postgres(Bounded<'a>),
}

impl Tx {
    /// A transaction on the one writing connection.
    pub(crate) fn sqlite_write(writer: Writer) -> Self {
        Self { inner: Inner::SqliteWrite(writer) }
    }

    /// A reading connection, in no transaction.
    pub(crate) fn sqlite_read(reader: Reader) -> Self {
        Self { inner: Inner::SqliteRead(reader) }
    }

    /// A connection to PostgreSQL: in a transaction at the default isolation, read committed; or in none, where each
    /// statement sees its own snapshot.
    pub(crate) fn postgres(held: Held) -> Self {
        Self { inner: Inner::Postgres(held) }
    }

    /// Lifts the limit on how long a statement may take, until the end of the transaction, and lets it go through a table where that is
    /// best: a large shop has many flags.
    ///
    /// # Errors
    /// When the statement fails.
    pub(crate) async fn wait_without_end(&mut self) -> Result<(), DbError> {
        if let Inner::Postgres(held) = &mut self.inner {
            held.wait_without_end();
            let settings = "set local statement_timeout = 0; set local enable_seqscan = on";
            sqlx::raw_sql(settings).execute(held.connection()).await?;
        }
        Ok(())
    }

    /// The driver's connection; use it through [`on!`].
    pub(crate) fn handle(&mut self) -> Handle<'_> {
        match &mut self.inner {
            Inner::SqliteWrite(writer) => Handle::Sqlite(writer.connection()),
            Inner::SqliteRead(reader) => Handle::Sqlite(reader.connection()),
            Inner::Postgres(held) => Handle::Postgres(held.connection()),
        }
    }

    /// Says that the last statement was answered. [`on!`] does, and who reads without it must, or the connection is asked for a sign of
    /// life before the next one has it.
    pub(crate) fn note_answer(&mut self) {
        if let Inner::SqliteRead(reader) = &mut self.inner {
            reader.note_answer();
        }
    }

    /// Takes everything back and waits until the locks are gone; a transaction that is merely dropped lets them go a moment later.
    ///
    /// # Errors
    /// When the database cannot be reached; then it takes everything back by itself.
    pub async fn roll_back(self) -> Result<(), DbError> {
        match self.inner {
            Inner::SqliteWrite(writer) => writer.roll_back().await?,
            Inner::Postgres(held) => held.roll_back().await?,
            Inner::SqliteRead(_) => {}
        }
        Ok(())
    }

    /// Makes everything written through this transaction durable.
    ///
    /// # Errors
    /// When the database refuses or cannot be reached; then nothing was written.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.inner {
            Inner::SqliteWrite(writer) => writer.commit().await?,
            Inner::Postgres(held) => held.commit().await?,
            Inner::SqliteRead(_) => {}
        }
        Ok(())
    }
}

impl Tx {
    /// Whether nobody else can write until this transaction ends: what was read in it holds, with no lock.
    pub fn is_only_writer(&self) -> bool {
        matches!(self.inner, Inner::SqliteWrite(_))
    }

    /// Waits for, and holds until the end of the transaction, the locks with these numbers, in this order. SQLite needs none: it has
    /// one writer.
    ///
    /// # Errors
    /// When the statement fails or waits too long.
    pub async fn lock(&mut self, keys: &[i64]) -> Result<(), DbError> {
        match self.handle() {
            Handle::Sqlite(_) => {}
            Handle::Postgres(_) if keys.is_empty() => {}
            Handle::Postgres(connection) => {
                sqlx::query(LOCK_POSTGRES).bind(keys).execute(connection).await?;
            }
        }
        Ok(())
    }
}

/// The order is that of the inner query, which has to be done before the outer one can count.
const LOCK_POSTGRES: &str = "select count(pg_advisory_xact_lock(t.key)) \
     from (select key from unnest($1::bigint[]) with ordinality as u (key, place) order by place) t";

impl Tx {
    /// Begins a part that can be taken back alone, by [`Tx::roll_back_part`].
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn begin_part(&mut self) -> Result<(), DbError> {
        self.run("savepoint part").await
    }

    /// Takes back everything since [`Tx::begin_part`]; what was before stays.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn roll_back_part(&mut self) -> Result<(), DbError> {
        self.run("rollback to savepoint part").await?;
        self.end_part().await
    }

    /// Keeps what the part did, as part of the whole.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn end_part(&mut self) -> Result<(), DbError> {
        self.run("release savepoint part").await
    }

    /// A statement without parameters and rows.
    async fn run(&mut self, sql: &'static str) -> Result<(), DbError> {
        match self.handle() {
            Handle::Sqlite(connection) => sqlx::query(sql).execute(connection).await.map(|_| ())?,
            Handle::Postgres(connection) => sqlx::query(sql).execute(connection).await.map(|_| ())?,
        }
        Ok(())
    }
}

/// Pastes one body into both drivers' arms: the compiler checks the same binds against both, and the SQL text is one. Where it
/// reads, a statement that fails leaves it by `?`: whatever comes to its end was answered.
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx.handle() {
            $crate::tx::Handle::Sqlite($connection) => {
                let answer = $body;
                $tx.note_answer();
                answer
            }
            $crate::tx::Handle::Postgres($connection) => $body,
        }
    };
}
pub(crate) use on;

//! SQLite's one writing connection, on loan for one transaction.
//!
//! When a write fails for want of room, SQLite takes the whole transaction back by itself. sqlx counts transactions and is not
//! told: its own `rollback` fails then, the count stays, and nobody can write until the process ends. So a transaction here
//! is plain statements, and a connection whose `rollback` fails is closed and replaced.

use sqlx::pool::PoolConnection;
use sqlx::{Error, Sqlite, SqliteConnection};
use tokio::runtime::Handle;

/// An open transaction. Taken back when dropped.
pub(crate) struct Writer {
    /// There until the drop.
    connection: Option<PoolConnection<Sqlite>>,
    /// Whether there is something to take back.
    is_open: bool,
}

impl Writer {
    /// Opens a transaction that writes: `BEGIN IMMEDIATE`, since a deferred one that reads first fails as soon as another has
    /// written.
    ///
    /// # Errors
    /// When another process holds the file, or the file cannot be written.
    pub(crate) async fn begin(connection: PoolConnection<Sqlite>) -> Result<Self, Error> {
        // Cut off in its middle, a begin may still begin one.
        let mut writer = Self { connection: Some(connection), is_open: true };
        let begun = sqlx::raw_sql("begin immediate").execute(writer.connection()).await;
        writer.is_open = begun.is_ok();
        begun.map(|_| writer)
    }

    /// What a statement runs on.
    #[expect(clippy::expect_used, reason = "it is taken out by the drop alone")]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        self.connection.as_deref_mut().expect("the connection is there until the drop")
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        sqlx::raw_sql("commit").execute(self.connection()).await?;
        self.is_open = false;
        Ok(())
    }

    /// Takes back what was written.
    ///
    /// # Errors
    /// When SQLite did so before, by itself.
    pub(crate) async fn roll_back(mut self) -> Result<(), Error> {
        sqlx::raw_sql("rollback").execute(self.connection()).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Writer {
    /// Takes back what is open, in a task of its own; until that is done nobody else writes.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|_| self.is_open) else { return };
        match Handle::try_current() {
            // The pool waits for it when it is closed.
            Ok(runtime) => drop(runtime.spawn(take_back(connection))),
            // Closed, it takes back what is open.
            Err(_) => drop(connection.detach()),
        }
    }
}

/// Takes back an open transaction, and replaces the connection where SQLite says that there is none.
async fn take_back(mut connection: PoolConnection<Sqlite>) {
    if let Err(error) = sqlx::raw_sql("rollback").execute(&mut *connection).await {
        tracing::warn!(%error, "A transaction was ended by SQLite itself; its connection is replaced");
        drop(connection.detach());
    }
}

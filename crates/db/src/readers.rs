//! SQLite's reading connections: a few, opened when they are wanted and kept.
//!
//! sqlx's pool asks a connection that comes back for a sign of life, in a task of its own: a way to the connection's thread and another
//! back beside each request's one statement. Here one whose last statement was answered is ready as soon as it is let go, and only one
//! whose statement was cut off, or failed, is asked first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Error, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::writer::patiently;

/// All of them.
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    most: u32,
    free: Arc<Semaphore>,
    /// Those that nobody uses; the last that came back is on top.
    resting: Mutex<Vec<SqliteConnection>>,
    /// How long to wait for one.
    place_timeout: Duration,
}

impl Readers {
    /// Opens the first of at most `most`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) async fn open(
        options: SqliteConnectOptions,
        most: u32,
        place_timeout: Duration,
    ) -> Result<Arc<Self>, Error> {
        let first = patiently(|| options.connect()).await?;
        let free = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1)));
        Ok(Arc::new(Self { options, most, free, resting: Mutex::new(vec![first]), place_timeout }))
    }

    /// Waits for a connection that nobody uses, or opens one more.
    ///
    /// # Errors
    /// When there is none in time, all were closed, or the file cannot be opened once more.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Reader, Error> {
        let taken = async {
            let place = Arc::clone(&self.free).acquire_owned().await.map_err(|_| Error::PoolClosed)?;
            let rested = self.resting().pop();
            let connection = match rested {
                Some(connection) => connection,
                // Boxed: the future of each request would have to make room for it.
                None => Box::pin(patiently(|| self.options.connect())).await?,
            };
            let (connection, place) = (Some(connection), Some(place));
            Ok(Reader { connection, is_asking: false, readers: Arc::clone(self), place })
        };
        timeout(self.place_timeout, taken).await.unwrap_or(Err(Error::PoolTimedOut))
    }

    /// Closes them after what runs on them has ended. Whoever comes later gets none.
    pub(crate) async fn close(&self) {
        let all = self.free.acquire_many(self.most).await;
        self.free.close();
        drop(all);
        let resting = std::mem::take(&mut *self.resting());
        for connection in resting {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "A reading connection did not close as it should");
            }
        }
    }

    /// How many nobody uses.
    #[cfg(test)]
    pub(crate) fn count_resting(&self) -> usize {
        self.resting().len()
    }

    /// Those that nobody uses; a panic elsewhere leaves them as they are.
    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading connection on loan. Dropped, it is the next one's.
pub(crate) struct Reader {
    /// There until the drop.
    connection: Option<SqliteConnection>,
    /// Whether a statement was begun and is not known to have been answered.
    is_asking: bool,
    readers: Arc<Readers>,
    /// Freed when the connection is back.
    place: Option<OwnedSemaphorePermit>,
}

impl Reader {
    /// What a statement runs on.
    #[expect(clippy::expect_used, reason = "it is taken out by the drop alone")]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        self.is_asking = true;
        self.connection.as_mut().expect("the connection is there until the drop")
    }

    /// Says that the statement was answered.
    pub(crate) fn note_answer(&mut self) {
        self.is_asking = false;
    }
}

impl Drop for Reader {
    /// Leaves the connection to the next: at once, or when its thread has done with a statement that nobody waits for any more.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !self.is_asking {
            self.readers.resting().push(connection);
        } else if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(bring_back(connection, Arc::clone(&self.readers), self.place.take())));
        }
    }
}

/// Waits until the connection's thread gives a sign of life; a connection without a thread is closed, and its place is free.
async fn bring_back(mut connection: SqliteConnection, readers: Arc<Readers>, place: Option<OwnedSemaphorePermit>) {
    match connection.ping().await {
        Ok(()) => readers.resting().push(connection),
        Err(error) => tracing::warn!(%error, "A reading connection broke and was closed"),
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    /// Readers of a new file in a folder.
    async fn open(folder: &tempfile::TempDir, most: u32, place_timeout: Duration) -> Arc<Readers> {
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
        let options = SqliteConnectOptions::from_str(&url).unwrap();
        Readers::open(options, most, place_timeout).await.unwrap()
    }

    /// One number, asked for on a connection of its own.
    async fn ask(readers: &Arc<Readers>, sql: &'static str) -> Result<i64, Error> {
        let mut reader = readers.take().await?;
        let number = sqlx::query_scalar(sql).fetch_one(reader.connection()).await?;
        reader.note_answer();
        Ok(number)
    }

    /// Whether nobody gets a connection for a moment.
    async fn are_all_out(readers: &Arc<Readers>) -> bool {
        timeout(Duration::from_millis(50), readers.take()).await.is_err()
    }

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn there_are_no_more_than_were_asked_for_and_none_once_they_are_closed() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(&folder, 2, LONG).await;
        let (first, second) = (readers.take().await.unwrap(), readers.take().await.unwrap());
        assert!(are_all_out(&readers).await);
        drop(first);
        assert_eq!(ask(&readers, "select 2").await.unwrap(), 2);

        let mut closing = std::pin::pin!(readers.close());
        assert!(timeout(Duration::from_millis(20), &mut closing).await.is_err(), "it waits for whoever still asks");
        drop(second);
        closing.await;
        assert!(matches!(readers.take().await, Err(Error::PoolClosed)));
        assert_eq!(readers.count_resting(), 0);
    }

    #[tokio::test]
    async fn whoever_waits_for_long_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(&folder, 1, Duration::from_millis(50)).await;
        let first = readers.take().await.unwrap();
        assert!(matches!(readers.take().await, Err(Error::PoolTimedOut)));
        drop(first);
        assert_eq!(ask(&readers, "select 1").await.unwrap(), 1);
    }

    /// A customer who goes away in the middle of a long answer keeps that connection from the next, and no other.
    #[tokio::test]
    async fn a_connection_whose_statement_was_cut_off_is_nobodys_until_that_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(&folder, 2, LONG).await;
        let long =
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 5000000) select count(*) from n";
        assert!(timeout(Duration::from_millis(1), ask(&readers, long)).await.is_err());
        let second = readers.take().await.unwrap();
        assert!(are_all_out(&readers).await, "the first still asks");
        drop(second);
        assert_eq!(ask(&readers, "select 3").await.unwrap(), 3, "the second answers meanwhile");
        let both = timeout(LONG, readers.free.acquire_many(2)).await.unwrap().unwrap();
        assert_eq!(readers.count_resting(), 2);
        drop(both);
    }

    /// A connection that is let go in the middle of a statement after the runtime has ended is closed, and its place is free.
    #[test]
    fn a_connection_that_nobody_can_bring_back_is_closed_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = runtime();
        let readers = first.block_on(open(&folder, 1, LONG));
        let mut reader = first.block_on(readers.take()).unwrap();
        reader.connection();
        drop(first);
        drop(reader);
        assert_eq!((readers.count_resting(), readers.free.available_permits()), (0, 1));
        assert_eq!(runtime().block_on(ask(&readers, "select 6")).unwrap(), 6);
    }

    /// A statement that fails may have failed by its connection.
    #[tokio::test]
    async fn a_connection_whose_statement_failed_is_asked_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(&folder, 1, LONG).await;
        assert_eq!(ask(&readers, "select 4").await.unwrap(), 4);
        assert_eq!(readers.count_resting(), 1);
        assert!(ask(&readers, "select nothing").await.is_err());
        assert_eq!(readers.count_resting(), 0, "it is asked first");
        drop(timeout(LONG, readers.free.acquire()).await.unwrap().unwrap());
        assert_eq!(readers.count_resting(), 1);
        assert_eq!(ask(&readers, "select 5").await.unwrap(), 5);
    }
}

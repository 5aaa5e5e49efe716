//! A PostgreSQL connection of the pool, with an end to every wait.
//!
//! The server ends a statement that takes too long. A network that went silent ends nothing: TCP alone would try for a
//! quarter of an hour, and so long the request would hang and its connection be missing from the pool. So each statement
//! has a deadline of our own, and a connection that let one pass, or broke, is never used again.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgDatabaseError, PgQueryResult, PgRow, PgSeverity, PgStatement, PgTypeInfo};
use sqlx::{Connection, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep, timeout};

use crate::places::{PLACE_TIMEOUT, Places, hand_back};

/// How long a statement may go without an answer: a second more than the server itself gives it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// A connection on loan. Goes back to the pool when dropped; a transaction that is open then is taken back first.
pub(crate) struct Held {
    /// There until the drop.
    connection: Option<PoolConnection<Postgres>>,
    /// Whether a transaction was begun and not ended.
    is_open: bool,
    /// Whether the connection is of no more use.
    is_broken: bool,
    /// Whether a statement was cut off before its answer was read.
    is_asking: bool,
    /// `None`: whoever holds it waits as long as it takes.
    patience: Option<Duration>,
    /// When the connection last came from the pool.
    asked: Instant,
    places: Arc<Places>,
    /// Freed when the connection is back.
    place: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes a place: a connection in no transaction. One that rested for long is asked first whether it is well. What a busy
    /// server does not do is boxed here: the future of each request, which is moved several times, would have to make room for it.
    ///
    /// # Errors
    /// When no place comes free, or the server cannot be reached.
    pub(crate) async fn take(places: &Arc<Places>) -> Result<Self, Error> {
        let mut place = places.place().await?;
        while let Some(rested) = places.pop() {
            let is_fresh = rested.is_fresh();
            let mut held = Self::new(rested.connection, rested.asked, places, place);
            if is_fresh || Box::pin(held.is_well()).await {
                return Ok(held);
            }
            place = held.place.take().ok_or(Error::PoolTimedOut)?;
        }
        Ok(Self::new(Box::pin(places.pool().acquire()).await?, Instant::now(), places, place))
    }

    /// A connection in no transaction, with its place.
    fn new(
        connection: PoolConnection<Postgres>,
        asked: Instant,
        places: &Arc<Places>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            connection: Some(connection),
            is_open: false,
            is_broken: false,
            is_asking: false,
            patience: Some(PATIENCE),
            asked,
            places: Arc::clone(places),
            place: Some(place),
        }
    }

    /// Asks the server for a sign of life. Without one in time, all that rested on the same way are given up, too.
    async fn is_well(&mut self) -> bool {
        let Some(connection) = self.connection.as_deref_mut() else { return false };
        self.is_asking = true;
        let answered = timeout(PLACE_TIMEOUT, connection.ping()).await;
        self.is_asking = false;
        self.is_broken = !matches!(answered, Ok(Ok(())));
        if answered.is_err() {
            self.places.forget();
        }
        !self.is_broken
    }

    /// What a statement runs on.
    pub(crate) fn connection(&mut self) -> Bounded<'_> {
        Bounded {
            connection: self.connection.as_deref_mut(),
            is_broken: &mut self.is_broken,
            is_asking: &mut self.is_asking,
            patience: self.patience,
        }
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// When the server refuses or is silent.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        // A begin without an answer may have begun one.
        self.is_open = true;
        sqlx::raw_sql("begin").execute(self.connection()).await?;
        Ok(())
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the server refuses: then nothing was written. When it is silent, nobody knows.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.end("commit").await
    }

    /// Takes back what was written.
    ///
    /// # Errors
    /// When the server is silent; then it takes it back by itself.
    pub(crate) async fn roll_back(mut self) -> Result<(), Error> {
        self.end("rollback").await
    }

    /// Ends the transaction, if there is one.
    async fn end(&mut self, sql: &'static str) -> Result<(), Error> {
        if self.is_open {
            sqlx::raw_sql(sql).execute(self.connection()).await?;
            self.is_open = false;
        }
        Ok(())
    }

    /// From now on a statement may last: migrations wait for indexes.
    pub(crate) fn wait_without_end(&mut self) {
        self.patience = None;
    }
}

impl Drop for Held {
    /// Lets a connection rest that is well and in no transaction; gives any other back in a task of its own, as the pool itself would,
    /// but not for longer than [`PATIENCE`].
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let is_clean = !self.is_open && !self.is_broken && !self.is_asking;
        let rests = if is_clean { self.places.rest(connection, self.asked) } else { Some(connection) };
        let Some(connection) = rests else { return };
        let place = self.place.take();
        if self.is_broken {
            // Detached, it is closed at once, and its place in the pool is free.
            let _entered = self.places.enter();
            drop(connection.detach());
        } else {
            // The pool waits for it when it is closed.
            self.places.spawn(give_back(connection, self.is_open, place));
        }
    }
}

/// Takes back an open transaction, looks whether the connection is well, and frees it for others.
async fn give_back(mut connection: PoolConnection<Postgres>, is_open: bool, place: Option<OwnedSemaphorePermit>) {
    if is_open {
        let rolled_back = timeout(PATIENCE, sqlx::raw_sql("rollback").execute(&mut *connection)).await;
        if !matches!(rolled_back, Ok(Ok(_))) {
            drop(connection.detach());
            return;
        }
    }
    hand_back(connection).await;
    drop(place);
}

/// A connection for one statement, with its deadline.
pub(crate) struct Bounded<'a> {
    connection: Option<&'a mut PgConnection>,
    is_broken: &'a mut bool,
    is_asking: &'a mut bool,
    patience: Option<Duration>,
}

impl<'a> Bounded<'a> {
    /// The driver's connection, for what is asked outside of any request and may take as long as it takes.
    ///
    /// # Errors
    /// When it is broken already.
    pub(crate) fn without_end(self) -> Result<&'a mut PgConnection, Error> {
        self.connection.filter(|_| !*self.is_broken).ok_or_else(broken)
    }
}

impl fmt::Debug for Bounded<'_> {
    /// The executor's trait asks for it; there is nothing to show.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bounded").finish_non_exhaustive()
    }
}

/// What a statement gets on a connection that failed an earlier one: there is no second wait.
fn broken() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::BrokenPipe, "the connection broke at an earlier statement"))
}

/// What a statement gets whose answer did not come.
fn silent() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time"))
}

/// Whether an error means that nothing more can be said on the connection.
fn breaks(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => true,
        // The server's last word: it was told to stop, or to end this connection.
        Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)),
        _ => false,
    }
}

impl<'c> Executor<'c> for Bounded<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Self { connection, is_broken, is_asking, patience } = self;
        *is_asking = true;
        let rows = connection.filter(|_| !*is_broken).map(|connection| connection.fetch_many(query));
        let deadline = patience.map(|patience| Box::pin(sleep(patience)));
        Box::pin(BoundedRows { rows, deadline, is_broken, is_asking, is_over: false })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            let connection = self.connection.filter(|_| !*self.is_broken).ok_or_else(broken)?;
            *self.is_asking = true;
            let asked = connection.fetch_optional(query);
            let answered = match self.patience {
                Some(patience) => timeout(patience, asked).await.unwrap_or_else(|_| Err(silent())),
                None => asked.await,
            };
            *self.is_broken = answered.as_ref().is_err_and(breaks);
            *self.is_asking = false;
            answered
        })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move { self.without_end()?.prepare_with(sql, parameters).await })
    }
}

/// The rows of a statement up to its deadline.
struct BoundedRows<'e> {
    /// `None`: the connection was broken before.
    rows: Option<BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>>,
    deadline: Option<Pin<Box<Sleep>>>,
    is_broken: &'e mut bool,
    is_asking: &'e mut bool,
    is_over: bool,
}

impl Stream for BoundedRows<'_> {
    type Item = Result<Either<PgQueryResult, PgRow>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = match &mut self.rows {
            Some(rows) => rows.as_mut().poll_next(context),
            None => Poll::Ready(Some(Err(broken()))),
        };
        let is_late = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(context).is_ready();
        let next = match next {
            Poll::Ready(next) => next,
            Poll::Pending if self.deadline.as_mut().is_some_and(is_late) => Some(Err(silent())),
            Poll::Pending => return Poll::Pending,
        };
        if let Some(Err(error)) = &next {
            self.is_over = true;
            *self.is_broken |= breaks(error);
        }
        if !matches!(next, Some(Ok(_))) {
            *self.is_asking = false;
        }
        Poll::Ready(next)
    }
}

//! SQLite's one writing connection: who writes next, and how many of them one `commit` makes durable.
//!
//! A commit waits for the disk, and nobody else can write meanwhile. So while others wait for their turn, who is done hands the
//! open transaction on, and whoever is last commits for all: each then has a savepoint of its own to go back to, and none is
//! told that its writes are there before they are. Alone, a transaction begins and commits as ever.
//!
//! Each statement is a change of threads and back, which takes longer than most statements do, and nobody else can write meanwhile. So
//! the savepoint of who is done is released together with the next one's beginning, and a single statement in others' transaction has
//! none: it stays or fails by itself.
//!
//! When a write fails for want of room, SQLite takes the whole transaction back by itself. sqlx counts transactions and is not
//! told: its own `rollback` fails then, the count stays, and nobody can write until the process ends. So a transaction here
//! is plain statements, and a connection that cannot go back is closed and replaced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Error, SqliteConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tracing::Instrument as _;

use crate::error::is_sqlite_busy;

/// How long to wait for one's turn to write.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an opening that found the file busy is tried again.
const OPENING: Duration = Duration::from_secs(10);
/// Begins the part of one who writes in others' transaction. It goes by one name: what a statement reaches is the last. Where there is no
/// transaction it begins one.
const SAVEPOINT: &str = "savepoint member";
/// Keeps the part before, and begins the next. It fails where SQLite has ended the transaction, and with it everything of all members.
const HAND_OVER: &str = "release savepoint member; savepoint member";
/// Between two such tries.
const OPENING_PAUSE: Duration = Duration::from_millis(20);
/// Transactions that one commit makes durable at most: a failing commit fails no more than these. Who brings a code back waits for two
/// commits, that of the guess and that of the proof; where there is no room in one for all who wait, for more.
const MOST_MEMBERS: usize = 32;
/// As many in one commit mean that a queue seldom ends by itself.
const CROWD: usize = 16;
/// How long the file is left alone after the commit of a crowd, so that another process that waits for it, and looks only now and then,
/// gets in: a command on a busy shop.
const BREATH: Duration = Duration::from_millis(1);

/// The one connection that writes, and the queue for it. Whoever comes first, writes first.
pub(crate) struct Writers {
    seat: Arc<Mutex<Seat>>,
    options: SqliteConnectOptions,
    /// How many stand in the queue.
    waiting: AtomicUsize,
}

/// What the one whose turn it is holds.
#[derive(Default)]
struct Seat {
    /// `None`: it broke and was closed, or there will be no more.
    connection: Option<SqliteConnection>,
    /// Whether it will not be opened again.
    is_closed: bool,
    /// Those who are done and wait for the commit of the transaction that is open. Nobody: none is.
    members: Vec<oneshot::Sender<Result<(), Error>>>,
    /// Whether the savepoint of one of them is still there.
    has_savepoint: bool,
    /// Whether somebody's writes are neither done nor taken back. Where a runtime ended before they were, the next one finds it.
    is_left_open: bool,
}

/// A place in the queue, which counts until it is left.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    /// Joins the queue.
    fn take(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Writers {
    /// Opens the connection.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, Error> {
        let seat = Seat { connection: Some(patiently(|| options.connect()).await?), ..Seat::default() };
        Ok(Self { seat: Arc::new(Mutex::new(seat)), options, waiting: AtomicUsize::new(0) })
    }

    /// Waits for a turn, and opens a transaction that writes: `BEGIN IMMEDIATE`, since a deferred one that reads first fails as
    /// soon as another process has written; or a part of the one that is open.
    ///
    /// # Errors
    /// When no turn comes, another process holds the file, or the file cannot be written.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<Writer, Error> {
        let seat = self.turn().await?;
        self.begin_in(seat).await
    }

    /// The same for one statement, which is not taken back where it succeeds, whether or not [`Writer::commit`] follows; unless it
    /// begins a transaction of its own.
    ///
    /// # Errors
    /// As [`Writers::begin`].
    pub(crate) async fn single(self: &Arc<Self>) -> Result<Writer, Error> {
        let seat = self.turn().await?;
        if seat.members.is_empty() { self.begin_in(seat).await } else { Ok(Writer::new(seat, self, Share::Statement)) }
    }

    /// Opens a transaction or a part, whose turn it is.
    async fn begin_in(self: &Arc<Self>, mut seat: OwnedMutexGuard<Seat>) -> Result<Writer, Error> {
        if !seat.members.is_empty() {
            let sql = if seat.has_savepoint { HAND_OVER } else { SAVEPOINT };
            let mut writer = Writer::new(seat, self, Share::Cut);
            let begun = sqlx::raw_sql(sql).execute(writer.connection()).await;
            seat = writer.take_seat()?;
            let Err(error) = begun else {
                seat.has_savepoint = true;
                return Ok(Writer::new(seat, self, Share::Part));
            };
            // SQLite has ended the transaction of those before, who hear it; this one begins anew.
            seat.give_up(&Err(error));
            seat.connection = Some(patiently(|| self.options.connect()).await?);
        }
        // Cut off in its middle, a begin may still begin one.
        let mut writer = Writer::new(seat, self, Share::Whole);
        let begun = sqlx::raw_sql("begin immediate").execute(writer.connection()).await;
        if let Err(error) = &begun {
            let mut seat = writer.take_seat()?;
            seat.is_left_open = false;
            if !is_sqlite_busy(error) {
                // Whatever is wrong with it, another may be well.
                seat.connection = None;
            }
        }
        begun.map(|_| writer)
    }

    /// The connection for oneself, in no transaction.
    ///
    /// # Errors
    /// When no turn comes, or the file cannot be opened.
    pub(crate) async fn alone(&self) -> Result<Alone, Error> {
        let (seat, finished) = finished(self.turn().await?).await?;
        finished.map(|()| Alone { seat })
    }

    /// Waits for the seat, without a limit. What a runtime that ended left open in it is taken back.
    async fn seat(&self) -> OwnedMutexGuard<Seat> {
        let mut seat = Arc::clone(&self.seat).lock_owned().await;
        if seat.is_left_open {
            seat.give_up(&Err(Error::WorkerCrashed));
        }
        seat
    }

    /// Waits for a turn, and opens the connection again where it broke.
    async fn turn(&self) -> Result<OwnedMutexGuard<Seat>, Error> {
        let place = Place::take(&self.waiting);
        let turn = tokio::time::timeout(TURN_TIMEOUT, self.seat()).await;
        drop(place);
        let mut seat = turn.map_err(|_| Error::PoolTimedOut)?;
        if seat.is_closed {
            return Err(Error::PoolClosed);
        }
        if seat.connection.is_none() {
            seat.connection = Some(patiently(|| self.options.connect()).await?);
        }
        Ok(seat)
    }

    /// Whether the open transaction is better handed on than committed.
    fn is_shared(&self, seat: &Seat) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 && seat.members.len() + 1 < MOST_MEMBERS
    }

    /// Ends what is open and closes the connection, after all who wait now; so it waits for what the tasks of this file still do.
    ///
    /// # Errors
    /// When what was open could not be committed.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        let mut seat = self.seat().await;
        seat.is_closed = true;
        let (mut seat, finished) = finished(seat).await?;
        match seat.connection.take() {
            Some(connection) => finished.and(connection.close().await),
            None => finished,
        }
    }
}

/// Opens the file. While somebody else makes a WAL file of a new one, SQLite says that it is busy at once, whatever the busy timeout:
/// of several who start on a new file at the same moment each must come in.
///
/// # Errors
/// When it cannot be opened, or is busy for longer than [`OPENING`].
pub(crate) async fn patiently<T, F: Future<Output = Result<T, Error>> + Send>(
    open: impl Fn() -> F + Send,
) -> Result<T, Error> {
    let begun = Instant::now();
    loop {
        match open().await {
            Err(error) if is_sqlite_busy(&error) && begun.elapsed() < OPENING => {}
            opened => return opened,
        }
        tokio::time::sleep(OPENING_PAUSE).await;
    }
}

impl Seat {
    /// Runs a statement without parameters and rows.
    async fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        let connection = self.connection.as_mut().ok_or(Error::WorkerCrashed)?;
        sqlx::raw_sql(sql).execute(connection).await.map(|_| ())
    }

    /// Closes the connection, which takes back what is open, and tells the members.
    fn give_up(&mut self, outcome: &Result<(), Error>) {
        self.connection = None;
        self.has_savepoint = false;
        self.is_left_open = false;
        self.tell(outcome);
    }

    /// Commits for all members, if there are any, and tells them.
    ///
    /// # Errors
    /// As [`Seat::commit`].
    async fn finish(&mut self) -> Result<(), Error> {
        if self.members.is_empty() { Ok(()) } else { self.commit().await }
    }

    /// Makes durable what was written, and tells the members.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was.
    async fn commit(&mut self) -> Result<(), Error> {
        let is_crowded = self.members.len() >= CROWD;
        self.is_left_open = true;
        let committed = self.run("commit").await;
        self.is_left_open = false;
        self.has_savepoint = false;
        self.tell(&committed);
        if committed.is_err() {
            self.roll_back("rollback").await;
        }
        if is_crowded {
            tokio::time::sleep(BREATH).await;
        }
        committed
    }

    /// Goes back, and gives the connection up where SQLite says that there is nothing to go back to.
    async fn roll_back(&mut self, sql: &'static str) {
        if let Err(error) = self.run(sql).await {
            tracing::warn!(%error, "A transaction was ended by SQLite itself; its connection is replaced");
            self.give_up(&Err(error));
        }
    }

    /// Tells the members what became of their writes. Who went away meanwhile does not hear it.
    fn tell(&mut self, outcome: &Result<(), Error>) {
        for member in self.members.drain(..) {
            let told = match outcome {
                Ok(()) => Ok(()),
                Err(error) => Err(Error::Io(io::Error::other(format!("the commit of several failed: {error}")))),
            };
            drop(member.send(told));
        }
    }
}

/// What a writer has of the transaction that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    /// All of it: others may join when this one is done.
    Whole,
    /// The savepoint, in others' transaction.
    Part,
    /// One statement in others' transaction, with nothing to go back to.
    Statement,
    /// A savepoint that may not be there: its beginning was cut off.
    Cut,
}

/// An open transaction. Taken back when dropped.
pub(crate) struct Writer {
    /// There until the end.
    seat: Option<OwnedMutexGuard<Seat>>,
    writers: Arc<Writers>,
    share: Share,
}

impl Writer {
    /// One whose turn it is.
    fn new(mut seat: OwnedMutexGuard<Seat>, writers: &Arc<Writers>, share: Share) -> Self {
        seat.is_left_open = true;
        Self { seat: Some(seat), writers: Arc::clone(writers), share }
    }

    /// Takes the turn away from a writer, who then has nothing to take back.
    ///
    /// # Errors
    /// When it has ended.
    fn take_seat(&mut self) -> Result<OwnedMutexGuard<Seat>, Error> {
        self.seat.take().ok_or(Error::WorkerCrashed)
    }

    /// What a statement runs on.
    #[expect(clippy::expect_used, reason = "both are taken out at the end alone")]
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        let seat = self.seat.as_mut().expect("the seat is there until the end");
        seat.connection.as_mut().expect("a turn begins with a connection")
    }

    /// Makes durable what was written. It is done even if nobody waits for it any more: others may be in the same transaction.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        let ended = end(self.take_seat()?, Arc::clone(&self.writers)).in_current_span();
        let ended = Handle::current().spawn(ended);
        let outcome = ended.await.map_err(|_| Error::WorkerCrashed)??;
        match outcome {
            Some(told) => told.await.map_err(|_| Error::WorkerCrashed)?,
            None => Ok(()),
        }
    }

    /// Takes back what was written, but for a single statement in others' transaction.
    ///
    /// # Errors
    /// Never: a connection that cannot go back is replaced.
    pub(crate) async fn roll_back(mut self) -> Result<(), Error> {
        let taken_back = take_back(self.take_seat()?, Arc::clone(&self.writers), self.share).in_current_span();
        let taken_back = Handle::current().spawn(taken_back);
        taken_back.await.map_err(|_| Error::WorkerCrashed)
    }
}

impl Drop for Writer {
    /// Takes back what is open, in a task of its own; until that is done nobody else writes.
    fn drop(&mut self) {
        let Some(mut seat) = self.seat.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(take_back(seat, Arc::clone(&self.writers), self.share))),
            // Closed, it takes back what is open; members hear that nobody will commit.
            Err(_) => *seat = Seat::default(),
        }
    }
}

/// What a member hears in the end.
type Told = oneshot::Receiver<Result<(), Error>>;

/// Ends a transaction that is to stay: hands it on, and then there is something to wait for, or commits it.
async fn end(mut seat: OwnedMutexGuard<Seat>, writers: Arc<Writers>) -> Result<Option<Told>, Error> {
    if !writers.is_shared(&seat) {
        return seat.commit().await.map(|()| None);
    }
    let is_first = seat.members.is_empty();
    // It leaves no savepoint whose release would fail. Within a transaction none can begin.
    if is_first && seat.run("begin").await.is_ok() {
        let ended = || Error::Io(io::Error::other("SQLite ended the transaction"));
        seat.give_up(&Err(ended()));
        return Err(ended());
    }
    let (tell, told) = oneshot::channel();
    seat.members.push(tell);
    seat.is_left_open = false;
    drop(seat);
    if is_first {
        // Stands behind all who wait now, and does not go away as they may.
        Handle::current().spawn(finish(writers));
    }
    Ok(Some(told))
}

/// Commits what is open, to the end even if nobody waits for it any more.
///
/// # Errors
/// When the runtime ends.
async fn finished(mut seat: OwnedMutexGuard<Seat>) -> Result<(OwnedMutexGuard<Seat>, Result<(), Error>), Error> {
    let finished = Handle::current().spawn(async move {
        let finished = seat.finish().await;
        (seat, finished)
    });
    finished.await.map_err(|_| Error::WorkerCrashed)
}

/// Commits what is still open when the turn comes.
async fn finish(writers: Arc<Writers>) {
    let mut seat = writers.seat().await;
    if let Err(error) = seat.finish().await {
        tracing::warn!(%error, "A commit of several failed; each was told");
    }
}

/// Takes back one's own writes, and ends what is open of others' unless somebody else will.
async fn take_back(mut seat: OwnedMutexGuard<Seat>, writers: Arc<Writers>, share: Share) {
    match share {
        Share::Whole => seat.roll_back("rollback").await,
        // The savepoint itself stays, for the next one to release.
        Share::Part => seat.roll_back("rollback to savepoint member").await,
        // There is nothing to go back to, and SQLite may have ended the transaction: whether it did, the commit tells. So who is refused
        // in a statement of its own ends the others' transaction, though more may wait.
        Share::Statement | Share::Cut => {}
    }
    seat.is_left_open = false;
    if (share != Share::Part || !writers.is_shared(&seat))
        && let Err(error) = seat.finish().await
    {
        tracing::warn!(%error, "A commit of several failed; each was told");
    }
}

/// The connection, held by one alone and in no transaction.
pub(crate) struct Alone {
    seat: OwnedMutexGuard<Seat>,
}

impl Alone {
    /// What to run statements on, or to begin a transaction that sqlx counts.
    ///
    /// # Errors
    /// When the connection broke at the last moment.
    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Error> {
        self.seat.connection.as_mut().ok_or(Error::WorkerCrashed)
    }
}

#[cfg(test)]
mod tests;

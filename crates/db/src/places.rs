//! The places on PostgreSQL: as many connections at once as are allowed, and those that came back well, ready for the next.
//!
//! sqlx's pool asks each connection for a sign of life when it comes back, and again when it goes out: two round trips beside
//! each request's own one or two. What came back well a moment ago is used again without asking; all else goes through the pool,
//! which asks, replaces and ends connections as it is told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Error, PgPool, Postgres};
use tokio::runtime::{EnterGuard, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::held::PATIENCE;

/// How long a request waits for a place before it is answered 503.
pub const PLACE_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection that rested no longer is used without asking whether it is well.
const FRESH: Duration = Duration::from_millis(100);
/// After this time a connection goes through the pool, however busy it is: the pool ends those that are old.
const ASK_AFTER: Duration = Duration::from_mins(1);

/// All of them.
pub(crate) struct Places {
    pool: PgPool,
    free: Arc<Semaphore>,
    /// The last that came back is on top.
    resting: Mutex<Vec<Resting>>,
    /// How long to wait for a place.
    place_timeout: Duration,
    /// Where sqlx does what a connection that is dropped leaves to do: it panics where there is no runtime.
    runtime: Handle,
}

/// A connection that came back well.
pub(crate) struct Resting {
    pub(crate) connection: PoolConnection<Postgres>,
    since: Instant,
    /// When it came from the pool.
    pub(crate) asked: Instant,
}

impl Resting {
    /// Whether it may be used without asking.
    pub(crate) fn is_fresh(&self) -> bool {
        self.since.elapsed() < FRESH
    }
}

impl Places {
    /// As many places as the pool has connections at most.
    pub(crate) fn new(pool: PgPool, place_timeout: Duration) -> Arc<Self> {
        let most = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        let (free, resting) = (Arc::new(Semaphore::new(most)), Mutex::default());
        Arc::new(Self { pool, free, resting, place_timeout, runtime: Handle::current() })
    }

    /// What a connection is dropped or detached in, wherever that happens.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Runs something to its end beside the one who asks.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _entered = self.enter();
        drop(self.runtime.spawn(work));
    }

    /// The pool behind them.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// When none comes free in time.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let place = timeout(self.place_timeout, Arc::clone(&self.free).acquire_owned()).await;
        place.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)
    }

    /// The connection that rested the least.
    pub(crate) fn pop(&self) -> Option<Resting> {
        self.resting().pop()
    }

    /// Keeps a connection that is well and in no transaction for whoever comes next; or gives it back, if it must go through the pool
    /// once more.
    pub(crate) fn rest(
        &self,
        connection: PoolConnection<Postgres>,
        asked: Instant,
    ) -> Option<PoolConnection<Postgres>> {
        let mut resting = self.resting();
        if self.free.is_closed() || asked.elapsed() > ASK_AFTER {
            return Some(connection);
        }
        resting.push(Resting { connection, since: Instant::now(), asked });
        // What lies at the bottom is of a busier hour; the pool keeps of it what it is told to keep.
        let unused = resting.iter().take_while(|rested| rested.since.elapsed() > ASK_AFTER).count();
        let unused: Vec<Resting> = resting.drain(..unused).collect();
        drop(resting);
        for rested in unused {
            self.spawn(hand_back(rested.connection));
        }
        None
    }

    /// Closes all that rest: the way to the server is not what it was.
    pub(crate) fn forget(&self) {
        for rested in self.resting().drain(..) {
            drop(rested.connection.detach());
        }
    }

    /// Gives no more places, and hands back to the pool what rests.
    pub(crate) fn close(&self) {
        self.free.close();
        self.resting().clear();
    }

    /// Those that rest; a panic elsewhere leaves them as they are.
    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        self.resting().clear();
    }
}

/// Lets the pool look whether a connection is well, and keep or close it; but not for longer than [`PATIENCE`]: what drops a
/// connection looks without a bound. Cut off, it closes the connection and frees its place in the pool.
pub(crate) async fn hand_back(mut connection: PoolConnection<Postgres>) {
    if timeout(PATIENCE, connection.return_to_pool()).await.is_err() {
        tracing::debug!("A connection that was silent was closed instead of kept");
    }
}

//! The threads that hash: one a core, behind a bounded queue.
//!
//! The limit is the point: a flood of logins costs 32 MiB a core and then answers 503, instead of taking all memory and
//! time from everybody. There is deliberately no priority and no waiting for room.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::password::argon2id::{self, Argon2Hash};
use crate::password::scrypt_kdf::{self, SALT_BYTES, ScryptHash};
use crate::password::{Algorithm, Verdict};

/// One hash to compute.
type Job = Box<dyn FnOnce() + Send>;

/// How much the threads give way to those that answer requests.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Where passwords are hashed. The threads end when it is dropped.
pub struct HashPool {
    queue: SyncSender<Job>,
    algorithm: Algorithm,
}

impl HashPool {
    /// Starts one thread a core. `queue` is how many hashes may wait; `algorithm` is what new ones are made with.
    pub fn new(queue: usize, algorithm: Algorithm) -> Self {
        let (sender, receiver) = sync_channel(queue.max(1));
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let receiver = Arc::clone(&receiver);
            let started = thread::Builder::new().name(format!("hash-{number}")).spawn(move || serve(&receiver));
            if let Err(error) = started {
                tracing::error!(error = %error, "Could not start a thread for hashing passwords");
            }
        }
        Self { queue: sender, algorithm }
    }

    /// A hash of a new password. `salt` must be random and never used before.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn hash(&self, password: SecretString, salt: [u8; SALT_BYTES]) -> Result<String, Error> {
        let algorithm = self.algorithm;
        self.run(move || make(algorithm, &password, &salt))
            .await?
            .ok_or_else(|| Error::internal("the password could not be hashed with the configured parameters"))
    }

    /// Compares a password with a stored hash of either kind. One that is refused costs as much as a wrong password.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn verify(&self, password: SecretString, stored: String) -> Result<Verdict, Error> {
        let algorithm = self.algorithm;
        self.run(move || compare(algorithm, &password, &stored)).await
    }

    /// Costs as much as [`Self::verify`] on a wrong password: for logins of accounts that do not exist.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn verify_dummy(&self, password: SecretString) -> Result<(), Error> {
        let algorithm = self.algorithm;
        self.run(move || waste(algorithm, &password)).await
    }

    /// Has a thread of ours do the work. If the caller goes away before its turn, it is not done at all.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !answer.is_closed() {
                // Nobody waits any more: nothing is lost.
                drop(answer.send(work()));
            }
        });
        match self.queue.try_send(job) {
            Ok(()) => answered.await.map_err(Error::internal),
            Err(TrySendError::Full(_)) => Err(Error::unavailable("Too busy at the moment, try again shortly", 1)),
            Err(TrySendError::Disconnected(_)) => Err(Error::internal("no thread hashes passwords")),
        }
    }
}

/// What each thread does until the pool is dropped.
fn serve(receiver: &Mutex<Receiver<Job>>) {
    give_way();
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("Hashing a password panicked");
        }
    }
}

/// Lowers this thread's priority. A system that refuses loses nothing but some evenness.
#[cfg(target_os = "linux")]
fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(error = %error, "Could not lower the priority of a hashing thread");
    }
}

/// Only Linux has priorities a thread.
#[cfg(not(target_os = "linux"))]
fn give_way() {}

/// A new hash; `None` if the parameters are impossible.
fn make(algorithm: Algorithm, password: &SecretString, salt: &[u8; SALT_BYTES]) -> Option<String> {
    let password = password.expose_secret().as_bytes();
    match algorithm {
        Algorithm::Scrypt(params) => scrypt_kdf::hash(password, salt, params),
        Algorithm::Argon2id => argon2id::hash(password, salt),
    }
}

/// Compares with whichever kind of hash is stored.
fn compare(algorithm: Algorithm, password: &SecretString, stored: &str) -> Verdict {
    let bytes = password.expose_secret().as_bytes();
    let (matches, needs_rehash) = if let Some(hash) = ScryptHash::parse(stored) {
        (hash.verify(bytes), algorithm != Algorithm::Scrypt(hash.params))
    } else if let Some(hash) = Argon2Hash::parse(stored) {
        (hash.verify(bytes), algorithm != Algorithm::Argon2id || !hash.is_current())
    } else {
        waste(algorithm, password);
        return Verdict::Refused;
    };
    if matches { Verdict::Match { needs_rehash } } else { Verdict::Mismatch }
}

/// Computes a hash that nobody looks at.
fn waste(algorithm: Algorithm, password: &SecretString) {
    std::hint::black_box(make(algorithm, password, &[0; SALT_BYTES]));
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::error::ErrorKind;
    use crate::password::HashParams;

    const CHEAP: HashParams = HashParams { log_n: 10, r: 8, p: 1 };

    /// Lets a future run until it waits.
    fn start<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A pool whose threads are all at work until the returned sender is dropped.
    fn occupied(queue: usize) -> (HashPool, SyncSender<()>) {
        let pool = HashPool::new(queue, Algorithm::Scrypt(CHEAP));
        let (release, held) = sync_channel::<()>(0);
        let held = Arc::new(Mutex::new(held));
        let (started, starts) = channel();
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let (held, started) = (Arc::clone(&held), started.clone());
            let job: Job = Box::new(move || {
                started.send(()).unwrap();
                assert!(held.lock().unwrap_or_else(PoisonError::into_inner).recv().is_err());
            });
            pool.queue.send(job).unwrap();
            starts.recv().unwrap();
        }
        (pool, release)
    }

    #[tokio::test]
    async fn hashes_verify_and_those_of_another_kind_or_cost_ask_to_be_rewritten() {
        let kinds =
            [Algorithm::Scrypt(CHEAP), Algorithm::Scrypt(HashParams { log_n: 11, ..CHEAP }), Algorithm::Argon2id];
        for made_with in kinds {
            let stored = HashPool::new(4, made_with).hash("Secret123!".into(), [3; 32]).await.unwrap();
            for read_with in kinds {
                let pool = HashPool::new(4, read_with);
                let needs_rehash = made_with != read_with;
                let verdict = pool.verify("Secret123!".into(), stored.clone()).await.unwrap();
                assert_eq!(verdict, Verdict::Match { needs_rehash }, "{made_with:?} read with {read_with:?}");
                let verdict = pool.verify("secret123!".into(), stored.clone()).await.unwrap();
                assert_eq!(verdict, Verdict::Mismatch, "{made_with:?} read with {read_with:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_unreadable_hash_is_refused_and_a_missing_one_has_a_stand_in() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        assert_eq!(pool.verify("Secret123!".into(), "plain".to_owned()).await.unwrap(), Verdict::Refused);
        pool.verify_dummy("Secret123!".into()).await.unwrap();
    }

    /// A flood of logins must be answered 503 at once, not pile up.
    #[tokio::test]
    async fn a_full_queue_is_unavailable_at_once_and_empties_again() {
        let (pool, release) = occupied(1);
        let mut waiting = pin!(pool.verify_dummy("Secret123!".into()));
        assert!(start(waiting.as_mut()).is_pending());
        let refused = pool.verify_dummy("Secret123!".into()).await.unwrap_err();
        assert_eq!((refused.kind, refused.retry_after), (ErrorKind::Unavailable, Some(1)));
        drop(release);
        waiting.await.unwrap();
        pool.verify_dummy("Secret123!".into()).await.unwrap();
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_done() {
        let (pool, release) = occupied(2);
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        {
            let mut abandoned = pin!(pool.run(move || seen.store(true, Ordering::SeqCst)));
            assert!(start(abandoned.as_mut()).is_pending());
        }
        let mut after = pin!(pool.run(|| ()));
        assert!(start(after.as_mut()).is_pending());
        drop(release);
        after.await.unwrap();
        assert!(!done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        for _ in 0..=thread::available_parallelism().map_or(1, NonZero::get) {
            assert_eq!(pool.run::<()>(|| panic!("on purpose")).await.unwrap_err().kind, ErrorKind::Internal);
        }
        pool.verify_dummy("Secret123!".into()).await.unwrap();
    }

    #[tokio::test]
    async fn impossible_parameters_are_our_fault() {
        let pool = HashPool::new(4, Algorithm::Scrypt(HashParams { log_n: 15, r: 0, p: 1 }));
        assert_eq!(pool.hash("Secret123!".into(), [0; 32]).await.unwrap_err().kind, ErrorKind::Internal);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_answering() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        let own = |thread| rustix::process::getpriority_process(Some(thread)).unwrap();
        let hashing = pool.run(move || own(rustix::thread::gettid())).await.unwrap();
        assert!(hashing >= NICENESS && own(rustix::thread::gettid()) < hashing);
    }
}

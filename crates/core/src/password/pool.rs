//! Where passwords are hashed: threads, one a core, behind a bounded queue.
//!
//! The limit is the point: a flood of logins costs the threads' memory ([`scrypt_lanes`] says how much; with Medusa's parameters
//! 128 MiB a core at most) and then answers 503, instead of taking all memory and time from everybody. There is deliberately no
//! waiting for room. Everybody has a turn, though, so a flood from one address is served in between and gives way first.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use scrypt_lanes::Params;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::password::argon2id::{self, Argon2Hash};
use crate::password::scrypt_kdf::{self, SALT_BYTES, ScryptHash};
use crate::password::threads::{Fate, Key, Scrypt, Shared, Work, busy, serve};
use crate::password::{Algorithm, HashParams, Verdict};

/// Where passwords are hashed. The threads end when it is dropped.
///
/// `whose` is an opaque text with each request: those with the same one share turns and their place in the queue. It is the
/// client's address as limits know it, and the account where a session or a token stands for one.
pub struct HashPool {
    shared: Arc<Shared>,
    algorithm: Algorithm,
}

impl HashPool {
    /// Starts one thread a core. `queue` is how many hashes may wait; `algorithm` is what new ones are made with.
    pub fn new(queue: usize, algorithm: Algorithm) -> Self {
        let shared = Arc::new(Shared::new(queue.max(1)));
        let mut is_served = false;
        for number in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let own = Arc::clone(&shared);
            let started = thread::Builder::new().name(format!("hash-{number}")).spawn(move || serve(&own));
            match started {
                Ok(_) => is_served = true,
                Err(error) => tracing::error!(error = %error, "Could not start a thread for hashing passwords"),
            }
        }
        if !is_served {
            shared.close();
        }
        Self { shared, algorithm }
    }

    /// A hash of a new password. `salt` must be random and never used before.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn hash(&self, whose: &str, password: SecretString, salt: [u8; SALT_BYTES]) -> Result<String, Error> {
        let made = match self.algorithm {
            Algorithm::Scrypt(params) => {
                let derived = self.derive(whose, password, salt.to_vec(), params).await?;
                derived.and_then(|derived| scrypt_kdf::seal(&derived, &salt, params))
            }
            Algorithm::Argon2id => {
                self.run(whose, move || argon2id::hash(password.expose_secret().as_bytes(), &salt)).await?
            }
        };
        made.ok_or_else(|| Error::internal("the password could not be hashed with the configured parameters"))
    }

    /// Compares a password with a stored hash of either kind. One that is refused costs as much as a wrong password.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn verify(&self, whose: &str, password: SecretString, stored: String) -> Result<Verdict, Error> {
        let (matches, needs_rehash) = if let Some(hash) = ScryptHash::parse(&stored) {
            let derived = self.derive(whose, password, hash.salt.to_vec(), hash.params).await?;
            let matches = derived.is_some_and(|derived| hash.is_of(&derived));
            (matches, self.algorithm != Algorithm::Scrypt(hash.params))
        } else if let Some(hash) = Argon2Hash::parse(&stored) {
            let needs_rehash = self.algorithm != Algorithm::Argon2id || !hash.is_current();
            let matches = self.run(whose, move || hash.verify(password.expose_secret().as_bytes())).await?;
            (matches, needs_rehash)
        } else {
            self.verify_dummy(whose, password).await?;
            return Ok(Verdict::Refused);
        };
        Ok(if matches { Verdict::Match { needs_rehash } } else { Verdict::Mismatch })
    }

    /// Costs as much as [`Self::verify`] on a wrong password: for logins of accounts that do not exist.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub async fn verify_dummy(&self, whose: &str, password: SecretString) -> Result<(), Error> {
        let salt = [0; SALT_BYTES];
        match self.algorithm {
            Algorithm::Scrypt(params) => drop(self.derive(whose, password, salt.to_vec(), params).await?),
            Algorithm::Argon2id => {
                let made = self.run(whose, move || argon2id::hash(password.expose_secret().as_bytes(), &salt)).await?;
                drop(made);
            }
        }
        Ok(())
    }

    /// What scrypt answers, 64 bytes; `None` for parameters that it does not take. If the caller goes away before its turn, it is
    /// not done at all.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub(crate) async fn derive(
        &self,
        whose: &str,
        password: SecretString,
        salt: Vec<u8>,
        params: HashParams,
    ) -> Result<Option<Key>, Error> {
        let Ok(params) = Params::new(params.log_n, params.r, params.p) else {
            return Ok(None);
        };
        let (answer, answered) = oneshot::channel();
        self.shared.submit(whose, Work::Scrypt(Scrypt { password, salt, params, answer }))?;
        answered.await.map_err(Error::internal)?.map(Some)
    }

    /// Has a thread of ours do other work. If the caller goes away before its turn, it is not done at all.
    ///
    /// # Errors
    /// 503 when the queue is full.
    async fn run<T: Send + 'static>(&self, whose: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let act = move |fate| {
            if !answer.is_closed() {
                let outcome = match fate {
                    Fate::Do => Ok(work()),
                    Fate::Refuse => Err(busy()),
                };
                // Nobody waits any more: nothing is lost.
                drop(answer.send(outcome));
            }
        };
        self.shared.submit(whose, Work::Other(Box::new(act)))?;
        answered.await.map_err(Error::internal)?
    }
}

#[cfg(any(test, feature = "fault-points"))]
impl HashPool {
    /// Keeps every thread at work until the answer is dropped, so that a test sees what waits and what is refused.
    ///
    /// # Errors
    /// When there are no threads, or other work fills the queue.
    pub fn occupy(&self) -> Result<std::sync::mpsc::SyncSender<()>, Error> {
        use std::sync::mpsc::{channel, sync_channel};
        use std::sync::{Mutex, PoisonError};

        let (release, held) = sync_channel::<()>(0);
        let held = Arc::new(Mutex::new(held));
        let (started, starts) = channel();
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let (held, started) = (Arc::clone(&held), started.clone());
            let act = move |_| {
                // Nothing is ever sent: both ends are told of the other's by its going away.
                _ = started.send(());
                _ = held.lock().unwrap_or_else(PoisonError::into_inner).recv();
            };
            self.shared.submit("", Work::Other(Box::new(act)))?;
            starts.recv().map_err(Error::internal)?;
        }
        Ok(release)
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.shared.close();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::SyncSender;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::error::ErrorKind;

    const CHEAP: HashParams = HashParams { log_n: 10, r: 8, p: 1 };

    /// Lets a future run until it waits.
    fn start<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A pool whose threads are all at work until the returned sender is dropped.
    fn occupied(queue: usize) -> (HashPool, SyncSender<()>) {
        let pool = HashPool::new(queue, Algorithm::Scrypt(CHEAP));
        let release = pool.occupy().unwrap();
        (pool, release)
    }

    #[tokio::test]
    async fn hashes_verify_and_those_of_another_kind_or_cost_ask_to_be_rewritten() {
        let kinds =
            [Algorithm::Scrypt(CHEAP), Algorithm::Scrypt(HashParams { log_n: 11, ..CHEAP }), Algorithm::Argon2id];
        for made_with in kinds {
            let stored = HashPool::new(4, made_with).hash("ann", "Secret123!".into(), [3; 32]).await.unwrap();
            for read_with in kinds {
                let pool = HashPool::new(4, read_with);
                let needs_rehash = made_with != read_with;
                let verdict = pool.verify("ann", "Secret123!".into(), stored.clone()).await.unwrap();
                assert_eq!(verdict, Verdict::Match { needs_rehash }, "{made_with:?} read with {read_with:?}");
                let verdict = pool.verify("ann", "secret123!".into(), stored.clone()).await.unwrap();
                assert_eq!(verdict, Verdict::Mismatch, "{made_with:?} read with {read_with:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_unreadable_hash_is_refused_and_a_missing_one_has_a_stand_in() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        assert_eq!(pool.verify("ann", "Secret123!".into(), "plain".to_owned()).await.unwrap(), Verdict::Refused);
        pool.verify_dummy("ann", "Secret123!".into()).await.unwrap();
    }

    /// A flood of logins must be answered 503 at once, not pile up.
    #[tokio::test]
    async fn a_full_queue_is_unavailable_at_once_and_empties_again() {
        let (pool, release) = occupied(1);
        let mut waiting = pin!(pool.verify_dummy("ann", "Secret123!".into()));
        assert!(start(waiting.as_mut()).is_pending());
        let refused = pool.verify_dummy("ann", "Secret123!".into()).await.unwrap_err();
        assert_eq!((refused.kind, refused.retry_after), (ErrorKind::Unavailable, Some(1)));
        drop(release);
        waiting.await.unwrap();
        pool.verify_dummy("ann", "Secret123!".into()).await.unwrap();
    }

    /// A flood of one address must not take the room of everybody.
    #[tokio::test]
    async fn a_full_queue_has_room_for_who_brings_less() {
        let (pool, release) = occupied(2);
        let mut first = pin!(pool.verify_dummy("flood", "Secret123!".into()));
        let mut second = pin!(pool.run("flood", || ()));
        assert!(start(first.as_mut()).is_pending() && start(second.as_mut()).is_pending());
        let refused = pool.verify_dummy("flood", "Secret123!".into()).await.unwrap_err();
        assert_eq!((refused.kind, refused.retry_after), (ErrorKind::Unavailable, Some(1)));
        let mut other = pin!(pool.verify_dummy("ann", "Secret123!".into()));
        assert!(start(other.as_mut()).is_pending());
        let gave_way = second.await.unwrap_err();
        assert_eq!((gave_way.kind, gave_way.retry_after), (ErrorKind::Unavailable, Some(1)));
        drop(release);
        first.await.unwrap();
        other.await.unwrap();
    }

    /// With every thread at work and more waiting than one batch takes, each gets the answer to its own question.
    #[tokio::test]
    async fn what_goes_side_by_side_is_not_mixed_up() {
        let (pool, release) = occupied(20);
        let mut made = Vec::new();
        for number in 0..10_u8 {
            let mut hashing = Box::pin(pool.hash("ann", format!("Secret{number}").into(), [number; 32]));
            assert!(start(hashing.as_mut()).is_pending());
            made.push(hashing);
        }
        drop(release);
        for (number, hashing) in made.into_iter().enumerate() {
            let stored = hashing.await.unwrap();
            let verdict = pool.verify("ann", format!("Secret{number}").into(), stored.clone()).await.unwrap();
            assert_eq!(verdict, Verdict::Match { needs_rehash: false }, "{number}");
            let verdict = pool.verify("ann", format!("secret{number}").into(), stored).await.unwrap();
            assert_eq!(verdict, Verdict::Mismatch, "{number}");
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_not_done() {
        let (pool, release) = occupied(2);
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        {
            let mut abandoned = pin!(pool.run("ann", move || seen.store(true, Ordering::SeqCst)));
            assert!(start(abandoned.as_mut()).is_pending());
        }
        let mut after = pin!(pool.run("ann", || ()));
        assert!(start(after.as_mut()).is_pending());
        drop(release);
        after.await.unwrap();
        assert!(!done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_costs_one_answer_and_no_thread() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        for _ in 0..=thread::available_parallelism().map_or(1, NonZero::get) {
            assert_eq!(pool.run::<()>("ann", || panic!("on purpose")).await.unwrap_err().kind, ErrorKind::Internal);
        }
        pool.verify_dummy("ann", "Secret123!".into()).await.unwrap();
    }

    #[tokio::test]
    async fn impossible_parameters_are_our_fault() {
        let pool = HashPool::new(4, Algorithm::Scrypt(HashParams { log_n: 15, r: 0, p: 1 }));
        assert_eq!(pool.hash("ann", "Secret123!".into(), [0; 32]).await.unwrap_err().kind, ErrorKind::Internal);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashing_gives_way_to_answering() {
        let pool = HashPool::new(4, Algorithm::Scrypt(CHEAP));
        let own = |thread| rustix::process::getpriority_process(Some(thread)).unwrap();
        let hashing = pool.run("ann", move || own(rustix::thread::gettid())).await.unwrap();
        assert!(hashing >= crate::password::threads::NICENESS && own(rustix::thread::gettid()) < hashing);
    }
}

//! What the threads that hash do: take what waits, as much as goes side by side, and answer.
//!
//! A thread never waits for company: what is queued when it looks is what it takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scrypt_lanes::{Hasher, Job, Params};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::password::queue::{FairQueue, Pushed};
use crate::password::scrypt_kdf::KEY_BYTES;

/// How much the threads give way to those that answer requests.
#[cfg(target_os = "linux")]
pub(super) const NICENESS: i32 = 5;

/// How long a thread without work keeps the memory of its last hashes. It is wiped when it goes back.
const KEPT: Duration = Duration::from_secs(1);

/// What scrypt gives.
pub(crate) type Key = Zeroizing<Vec<u8>>;

/// Something for the threads to do.
pub(super) enum Work {
    /// scrypt, which goes side by side.
    Scrypt(Scrypt),
    /// Anything else, alone.
    Other(Box<dyn FnOnce(Fate) + Send>),
}

/// A password for scrypt.
pub(super) struct Scrypt {
    pub(super) password: SecretString,
    pub(super) salt: Vec<u8>,
    pub(super) params: Params,
    pub(super) answer: oneshot::Sender<Result<Key, Error>>,
}

/// What is to be done with a piece of work whose end has come.
pub(super) enum Fate {
    /// Its turn.
    Do,
    /// It had to give way.
    Refuse,
}

/// What one thread does at once.
enum Batch {
    /// Passwords with the same parameters, as many as there are lanes at most.
    Scrypt(Vec<Scrypt>),
    /// Something alone.
    Other(Box<dyn FnOnce(Fate) + Send>),
}

/// What a thread is told when it asks.
enum Next {
    Batch(Batch),
    /// There was nothing for a while.
    Idle,
    Closed,
}

/// What the threads and those who bring work share.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What waits, and whether anybody will look.
struct State {
    queue: FairQueue<Work>,
    is_closed: bool,
}

/// 503: try again in a second.
pub(super) fn busy() -> Error {
    Error::unavailable("Too busy at the moment, try again shortly", 1)
}

impl Shared {
    /// Nothing waits; `limit` is how much may.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { queue: FairQueue::new(limit), is_closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The state; it is whole at every moment, also after a panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets work wait; `whose` is who has turns in common.
    ///
    /// # Errors
    /// 503 when there is no room; 500 when there are no threads.
    pub(super) fn submit(&self, whose: &str, work: Work) -> Result<(), Error> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Error::internal("no thread hashes passwords"));
        }
        let pushed = state.queue.push(whose, work);
        drop(state);
        match pushed {
            Pushed::In => self.changed.notify_one(),
            Pushed::InsteadOf(other) => {
                self.changed.notify_one();
                other.refuse();
            }
            Pushed::Full(_) => return Err(busy()),
        }
        Ok(())
    }

    /// Ends the threads as soon as each is done with what it does.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for work, without end while the thread holds no memory.
    fn next(&self, lanes: usize, holds_memory: bool) -> Next {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return Next::Closed;
            }
            if let Some(batch) = take(&mut state.queue, lanes) {
                return Next::Batch(batch);
            }
            if holds_memory {
                let (after, waited) = self.changed.wait_timeout(state, KEPT).unwrap_or_else(PoisonError::into_inner);
                state = after;
                if waited.timed_out() {
                    return Next::Idle;
                }
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Work {
    /// Whether it is scrypt with these parameters.
    fn is_scrypt_with(&self, params: Params) -> bool {
        matches!(self, Self::Scrypt(scrypt) if scrypt.params == params)
    }

    /// Answers without doing it.
    fn refuse(self) {
        match self {
            // Who does not wait any more loses nothing.
            Self::Scrypt(scrypt) => drop(scrypt.answer.send(Err(busy()))),
            Self::Other(act) => act(Fate::Refuse),
        }
    }
}

/// The next piece of work, and what goes beside it. What nobody waits for any more is dropped.
fn take(queue: &mut FairQueue<Work>, lanes: usize) -> Option<Batch> {
    loop {
        let first = match queue.pop(|_| true)? {
            Work::Other(act) => return Some(Batch::Other(act)),
            Work::Scrypt(scrypt) if scrypt.answer.is_closed() => continue,
            Work::Scrypt(scrypt) => scrypt,
        };
        let params = first.params;
        let mut together = vec![first];
        while together.len() < lanes {
            match queue.pop(|work| work.is_scrypt_with(params)) {
                Some(Work::Scrypt(scrypt)) if scrypt.answer.is_closed() => (),
                Some(Work::Scrypt(scrypt)) => together.push(scrypt),
                _ => break,
            }
        }
        return Some(Batch::Scrypt(together));
    }
}

/// What each thread does until the pool is dropped.
pub(super) fn serve(shared: &Shared) {
    give_way();
    let mut hasher = Hasher::new();
    loop {
        let batch = match shared.next(hasher.lanes(), hasher.held_bytes() > 0) {
            Next::Batch(batch) => batch,
            Next::Idle => {
                hasher.release();
                continue;
            }
            Next::Closed => return,
        };
        let act = AssertUnwindSafe(|| match batch {
            Batch::Scrypt(together) => compute(&mut hasher, together),
            Batch::Other(act) => act(Fate::Do),
        });
        if catch_unwind(act).is_err() {
            tracing::error!("Hashing a password panicked");
            hasher.release();
        }
    }
}

/// Hashes passwords side by side and answers each.
fn compute(hasher: &mut Hasher, together: Vec<Scrypt>) {
    let mut keys: Vec<Key> = together.iter().map(|_| Zeroizing::new(vec![0; KEY_BYTES])).collect();
    let jobs: Result<Vec<_>, _> = together
        .iter()
        .zip(&mut keys)
        .map(|(scrypt, key)| Job::new(scrypt.password.expose_secret().as_bytes(), &scrypt.salt, scrypt.params, key))
        .collect();
    let outcome = jobs.and_then(|mut jobs| hasher.hash(&mut jobs));
    for (scrypt, key) in together.into_iter().zip(keys) {
        // Who does not wait any more loses nothing.
        drop(scrypt.answer.send(outcome.map(|()| key).map_err(Error::internal)));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Work that waits, and what its answer will come by.
    fn scrypt(password: &str, log_n: u8) -> (Work, oneshot::Receiver<Result<Key, Error>>) {
        let (answer, answered) = oneshot::channel();
        let params = Params::new(log_n, 8, 1).unwrap();
        (Work::Scrypt(Scrypt { password: password.into(), salt: vec![7; 32], params, answer }), answered)
    }

    /// The passwords of each batch, and `-` for what is not scrypt.
    fn batches(queue: &mut FairQueue<Work>, lanes: usize) -> Vec<String> {
        std::iter::from_fn(|| take(queue, lanes))
            .map(|batch| match batch {
                Batch::Scrypt(together) => {
                    together.iter().map(|scrypt| scrypt.password.expose_secret().to_owned()).collect()
                }
                Batch::Other(_) => "-".to_owned(),
            })
            .collect()
    }

    /// Equal parameters go together, whoever brought them; others and what nobody waits for do not hold them up.
    #[test]
    fn what_waits_is_taken_side_by_side_up_to_the_lanes() {
        let mut queue = FairQueue::new(100);
        let mut waiting = Vec::new();
        for (whose, password, log_n) in [
            ("flood", "a", 4),
            ("flood", "b", 4),
            ("flood", "c", 4),
            ("flood", "d", 4),
            ("flood", "e", 4),
            ("ann", "A", 4),
            ("bob", "B", 5),
            ("bob", "C", 4),
        ] {
            let (work, answered) = scrypt(password, log_n);
            assert!(matches!(queue.push(whose, work), Pushed::In));
            waiting.push(answered);
        }
        let (abandoned, gone) = scrypt("X", 4);
        drop(gone);
        assert!(matches!(queue.push("eve", abandoned), Pushed::In));
        assert!(matches!(queue.push("zoe", Work::Other(Box::new(|_| ()))), Pushed::In));
        assert_eq!(batches(&mut queue, 4), ["aAbc", "B", "-", "dCe"]);
        assert!(waiting.iter_mut().all(|answered| answered.try_recv().is_err()));
    }

    #[test]
    fn with_one_lane_each_goes_alone() {
        let mut queue = FairQueue::new(100);
        let waiting = ["a", "b"].map(|password| {
            let (work, answered) = scrypt(password, 4);
            assert!(matches!(queue.push("ann", work), Pushed::In));
            answered
        });
        assert_eq!(batches(&mut queue, 1), ["a", "b"]);
        drop(waiting);
    }

    /// Then it gives its memory back; one that holds none sleeps on, until the pool is closed.
    #[test]
    fn a_thread_that_holds_memory_is_told_when_there_was_nothing_for_a_while() {
        let shared = Shared::new(1);
        assert!(matches!(shared.next(4, true), Next::Idle));
        let (work, _answered) = scrypt("a", 4);
        shared.submit("ann", work).unwrap();
        assert!(matches!(shared.next(4, true), Next::Batch(Batch::Scrypt(together)) if together.len() == 1));
        std::thread::scope(|scope| {
            let sleeping = scope.spawn(|| matches!(shared.next(4, false), Next::Closed));
            let (_silent, nothing) = std::sync::mpsc::channel::<()>();
            assert!(nothing.recv_timeout(KEPT + KEPT.div_f32(4.0)).is_err());
            assert!(!sleeping.is_finished());
            shared.close();
            assert!(sleeping.join().unwrap());
        });
    }

    /// Each gets the key of its own password and salt.
    #[test]
    fn a_batch_answers_each_with_its_own_key() {
        let (works, mut answers): (Vec<_>, Vec<_>) =
            ["a", "b", "c"].map(|password| scrypt(password, 4)).into_iter().unzip();
        let together = works
            .into_iter()
            .filter_map(|work| match work {
                Work::Scrypt(scrypt) => Some(scrypt),
                Work::Other(_) => None,
            })
            .collect();
        compute(&mut Hasher::new(), together);
        for (password, answer) in ["a", "b", "c"].into_iter().zip(&mut answers) {
            let mut alone = [0; KEY_BYTES];
            let params = Params::new(4, 8, 1).unwrap();
            let job = Job::new(password.as_bytes(), &[7; 32], params, &mut alone).unwrap();
            Hasher::new().hash(&mut [job]).unwrap();
            assert_eq!(answer.try_recv().unwrap().unwrap().as_slice(), alone, "{password}");
        }
    }
}

//! Time and chance, injected: made in `main`, frozen in tests.

use std::sync::Arc;

use cr_types::timestamp::Timestamp;

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// The present, in whole milliseconds.
    fn now(&self) -> Timestamp;
}

/// Where chance comes from.
pub trait Rng: Send + Sync {
    /// Fills the buffer with bytes that nobody can guess.
    fn fill(&self, buffer: &mut [u8]);
}

/// The two things that differ between a test and the world.
#[derive(Clone)]
pub struct Env {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
}

impl Env {
    /// The machine's clock and the operating system's random source.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), rng: Arc::new(SystemRng) }
    }

    /// A buffer of random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut buffer = [0; N];
        self.rng.fill(&mut buffer);
        buffer
    }
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::new(chrono::Utc::now())
    }
}

struct SystemRng;

impl Rng for SystemRng {
    #[expect(clippy::expect_used, reason = "a system without a random source must not go on issuing codes")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system's random source failed");
    }
}

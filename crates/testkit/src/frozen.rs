//! Time that moves when told to, and chance that repeats.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use cr_core::env::{Clock, Rng};
use cr_types::timestamp::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The moment that tests begin at, unless they say otherwise.
pub const START: &str = "2026-01-02T03:04:05.678Z";

/// A clock that stands still.
pub struct Frozen {
    millis: AtomicI64,
}

impl Frozen {
    /// A clock that stands at a moment such as [`START`].
    pub fn at(moment: &str) -> Arc<Self> {
        let moment: Timestamp = moment.parse().unwrap();
        Arc::new(Self { millis: AtomicI64::new(moment.millis()) })
    }

    /// Moves it on by whole seconds; negative: back.
    pub fn advance_seconds(&self, seconds: i64) {
        self.millis.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst)).unwrap()
    }
}

/// Chance that is the same at every run: the same seed, the same bytes.
pub fn seeded(seed: u64) -> Arc<dyn Rng> {
    Arc::new(Seeded(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
}

/// One stream of bytes, in the order in which it is asked.
struct Seeded(Mutex<ChaCha20Rng>);

impl Rng for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(buffer);
    }
}

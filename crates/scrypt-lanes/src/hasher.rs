//! What the caller holds.

use core::array::from_fn;
use core::fmt;

use crate::{Backend, Error, Job, Params};

/// Most passwords that any backend computes side by side.
pub(crate) const MOST_LANES: usize = 4;

/// Jobs of equal parameters that are computed together; the empty places are at the end.
pub(crate) type Group<'g, 'a> = [Option<&'g mut Job<'a>>; MOST_LANES];

/// Computes hashes, in memory that it keeps from one call to the next.
///
/// Threads do not share one: each that hashes has its own.
pub struct Hasher {
    backend: Backend,
    #[cfg(target_arch = "x86_64")]
    engine: Option<crate::x86::Engine>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Says how it computes and how much it holds, and nothing of what is in there.
impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held_bytes = self.held_bytes();
        formatter
            .debug_struct("Hasher")
            .field("backend", &self.backend)
            .field("held_bytes", &held_bytes)
            .finish_non_exhaustive()
    }
}

impl Hasher {
    /// The quickest that this processor has. Allocates nothing yet.
    pub fn new() -> Self {
        Self::with_backend(Backend::detect()).unwrap_or(Self {
            backend: Backend::Portable,
            #[cfg(target_arch = "x86_64")]
            engine: None,
        })
    }

    /// One that computes in a certain way, for tests and comparisons; `None` if this processor cannot.
    pub fn with_backend(backend: Backend) -> Option<Self> {
        if !backend.is_available() {
            return None;
        }
        Some(Self {
            backend,
            #[cfg(target_arch = "x86_64")]
            engine: crate::x86::Engine::new(backend),
        })
    }

    /// How it computes.
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// How many jobs of equal parameters it computes side by side. More of them at once gain nothing.
    pub const fn lanes(&self) -> usize {
        self.backend.lanes()
    }

    /// Hashes all passwords, however many; returns when the last is done. Jobs of equal parameters go side by side, in the
    /// order of the first of each kind; a job whose parameters nobody shares goes alone.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; then no output may be used.
    pub fn hash(&mut self, jobs: &mut [Job<'_>]) -> Result<(), Error> {
        for job in &mut *jobs {
            job.is_done = false;
        }
        while let Some(params) = jobs.iter().find(|job| !job.is_done).map(|job| job.params) {
            let mut together =
                jobs.iter_mut().filter(|job| !job.is_done && job.params == params).take(self.backend.lanes());
            let mut group: Group<'_, '_> = from_fn(|_| together.next());
            self.compute(params, &mut group)?;
            for job in group.into_iter().flatten() {
                job.is_done = true;
            }
        }
        Ok(())
    }

    /// Computes jobs that fit side by side.
    #[cfg_attr(not(target_arch = "x86_64"), expect(clippy::unused_self, reason = "nothing is kept elsewhere"))]
    fn compute(&mut self, params: Params, group: &mut Group<'_, '_>) -> Result<(), Error> {
        #[cfg(target_arch = "x86_64")]
        if let Some(engine) = &mut self.engine {
            return engine.compute(params, group);
        }
        for job in group.iter_mut().flatten() {
            // Both made sure of the length before, by the same rule.
            scrypt::scrypt(job.password, job.salt, params.portable(), job.output)
                .map_err(|_| Error::InvalidOutputLength)?;
        }
        Ok(())
    }

    /// Bytes of memory that it holds at the moment.
    pub fn held_bytes(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        if let Some(engine) = &self.engine {
            return engine.held_bytes();
        }
        0
    }

    /// Overwrites all of its memory with zeros and keeps it. Some 1.3 ms for 32 MiB (Zen 4).
    pub fn wipe(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(engine) = &mut self.engine {
            engine.wipe();
        }
    }

    /// Overwrites all of its memory with zeros and gives it back; for when there is nothing to do. The next call allocates anew.
    pub fn release(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(engine) = &mut self.engine {
            engine.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It moves to the thread that hashes.
    #[test]
    fn a_hasher_may_move_to_another_thread() {
        const fn assert_send<T: Send>() {}
        const { assert_send::<Hasher>() }
    }

    #[test]
    fn every_backend_that_is_there_can_be_had_and_no_other() {
        for backend in Backend::ALL {
            let hasher = Hasher::with_backend(backend);
            assert_eq!(hasher.is_some(), backend.is_available(), "{backend:?}");
            assert!(hasher.is_none_or(|hasher| hasher.backend() == backend && hasher.lanes() == backend.lanes()));
        }
    }
}

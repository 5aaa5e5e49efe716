//! scrypt on x86-64, in memory that is reused.
//!
//! [`Engine`] has the lanes and decides how many go side by side; [`features`] knows what the processor has, and is the only
//! place with `unsafe`; [`kernel`] is the algorithm.

use core::arch::x86_64::{__m128i, __m256i};

use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;

use crate::hasher::{Group, MOST_LANES};
use crate::x86::features::{Avx2, Avx512};
use crate::x86::memory::{Lane, Work};
use crate::{Backend, Error, Params};

mod features;
mod kernel;
mod memory;
mod ops;

/// The memory of one hasher, and what it may use of the processor.
pub(crate) struct Engine {
    avx2: Option<Avx2>,
    avx512: Option<Avx512>,
    lanes: [Lane; MOST_LANES],
    one: Work<__m128i>,
    two: Work<__m256i>,
    twice_two: Work<[__m256i; 2]>,
}

impl Engine {
    /// One that uses what the backend is named for; `None` if the processor has it not, and for the portable one.
    pub(crate) fn new(backend: Backend) -> Option<Self> {
        let (avx2, avx512) = match backend {
            Backend::Portable => return None,
            Backend::Sse2 => (None, None),
            Backend::Avx2 => (Some(Avx2::detect()?), None),
            Backend::Avx512 => (Some(Avx2::detect()?), Some(Avx512::detect()?)),
        };
        Some(Self {
            avx2,
            avx512,
            lanes: Default::default(),
            one: Work::default(),
            two: Work::default(),
            twice_two: Work::default(),
        })
    }

    /// Hashes the passwords of a group.
    ///
    /// # Errors
    /// When there is no memory.
    pub(crate) fn compute(&mut self, params: Params, group: &mut Group<'_, '_>) -> Result<(), Error> {
        let outcome = self.mix(params, group);
        self.wipe_blocks();
        outcome
    }

    /// What [`Self::compute`] does; it leaves the blocks as they are.
    fn mix(&mut self, params: Params, group: &mut Group<'_, '_>) -> Result<(), Error> {
        // Three take no longer as four with an idle lane than as two and one; it computes on a block of zeros.
        let used = match group.iter().flatten().count() {
            count @ 0..=2 => count,
            _ => MOST_LANES,
        };
        for lane in self.lanes.iter_mut().take(used) {
            lane.make_room(params)?;
        }
        for (lane, job) in self.lanes.iter_mut().zip(group.iter().flatten()) {
            pbkdf2_hmac::<Sha256>(job.password, job.salt, 1, lane.input_mut(params));
        }
        for turn in 0..params.p() {
            self.romix(used, params, turn)?;
        }
        for (lane, job) in self.lanes.iter_mut().zip(group.iter_mut().flatten()) {
            pbkdf2_hmac::<Sha256>(job.password, lane.input_mut(params), 1, job.output);
        }
        Ok(())
    }

    /// ROMix of one block of each of the first lanes.
    fn romix(&mut self, used: usize, params: Params, turn: u32) -> Result<(), Error> {
        let [a, b, c, d] = &mut self.lanes;
        match (used, self.avx2, self.avx512) {
            (1, _, _) => features::one([a], &mut self.one, params, turn),
            (2, Some(avx2), _) => avx2.two([a, b], &mut self.two, params, turn),
            (_, _, Some(avx512)) => avx512.twice_two([a, b, c, d], &mut self.twice_two, params, turn),
            (_, Some(avx2), _) => avx2.twice_two([a, b, c, d], &mut self.twice_two, params, turn),
            (_, None, None) => {
                let mut lanes = self.lanes.iter_mut().take(used);
                lanes.try_for_each(|lane| features::one([lane], &mut self.one, params, turn))
            }
        }
    }

    /// Bytes of memory held.
    pub(crate) fn held_bytes(&self) -> usize {
        let lanes: usize = self.lanes.iter().map(Lane::held_bytes).sum();
        lanes + self.one.held_bytes() + self.two.held_bytes() + self.twice_two.held_bytes()
    }

    /// Overwrites the blocks and the vectors, which are small, and leaves the tables.
    fn wipe_blocks(&mut self) {
        self.lanes.iter_mut().for_each(Lane::wipe_input);
        self.one.wipe();
        self.two.wipe();
        self.twice_two.wipe();
    }

    /// Overwrites everything.
    pub(crate) fn wipe(&mut self) {
        self.wipe_blocks();
        self.lanes.iter_mut().for_each(Lane::wipe_table);
    }

    /// Overwrites everything and gives it back.
    pub(crate) fn release(&mut self) {
        self.wipe();
        self.lanes = Default::default();
        self.one = Work::default();
        self.two = Work::default();
        self.twice_two = Work::default();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use core::array::from_fn;

    use super::*;
    use crate::Job;

    /// Hashes four passwords, each with memory of its own.
    fn used(backend: Backend) -> Option<Engine> {
        let mut engine = Engine::new(backend)?;
        let params = Params::new(4, 2, 3).unwrap();
        let mut outputs = [[0; 32]; MOST_LANES];
        let mut jobs = outputs.each_mut().map(|output| Job::new(b"password", b"salt", params, output).unwrap());
        let mut jobs = jobs.iter_mut();
        engine.compute(params, &mut from_fn(|_| jobs.next())).unwrap();
        Some(engine)
    }

    /// The blocks are what an attacker could check guesses with at once; the table is wiped when nothing waits.
    #[test]
    fn blocks_are_wiped_after_each_call_and_tables_when_asked() {
        for mut engine in Backend::ALL.into_iter().filter_map(used) {
            assert!(engine.lanes.iter().all(|lane| lane.is_wiped() == [true, false]));
            engine.wipe();
            assert!(engine.lanes.iter().all(|lane| lane.is_wiped() == [true, true]));
        }
    }

    /// Whoever knows how many lanes there are gives no more; more are computed all the same.
    #[test]
    fn a_group_of_more_than_the_lanes_is_computed_one_by_one() {
        assert_eq!(Backend::Sse2.lanes(), 1);
        let engine = used(Backend::Sse2).unwrap();
        assert!(engine.lanes.iter().all(|lane| lane.held_bytes() > 0));
    }
}

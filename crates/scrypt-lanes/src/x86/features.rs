//! What the processor has, as types: a value of one of them exists only where the feature does.
//!
//! The compiler lets a function that uses AVX2 or AVX-512 be called only by an `unsafe` block, because on a processor without
//! it that call is undefined. These types are the proof, and the four calls here are all the `unsafe` that there is: what is
//! called works on slices, and every access is checked.
#![expect(unsafe_code, reason = "each call says who looked whether the processor has what it needs")]
#![expect(clippy::unused_self, reason = "that there is a value is what it is for")]

use core::arch::x86_64::{__m128i, __m256i};

use crate::x86::kernel;
use crate::x86::memory::{Lane, Work};
use crate::{Error, Params};

/// ROMix of one password's block with this number.
///
/// # Errors
/// When there is no memory.
pub(super) fn one(lanes: [&mut Lane; 1], work: &mut Work<__m128i>, params: Params, turn: u32) -> Result<(), Error> {
    // SAFETY: the function needs SSE2 and nothing else, and this module is compiled for x86-64 alone, whose processors all
    // have it.
    unsafe { kernel::one::romix(lanes, work, params, turn) }
}

/// AVX2, as [`Self::detect`] found.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Asks the processor and the operating system.
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// ROMix of two passwords' blocks with this number.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn two(
        self,
        lanes: [&mut Lane; 2],
        work: &mut Work<__m256i>,
        params: Params,
        turn: u32,
    ) -> Result<(), Error> {
        // SAFETY: the function needs AVX2 and nothing else. `self` is made by `detect` alone, since its field is private to
        // this module, and only where AVX2 was found; a processor does not lose it while the program runs.
        unsafe { kernel::two::romix(lanes, work, params, turn) }
    }

    /// ROMix of four passwords' blocks with this number.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn twice_two(
        self,
        lanes: [&mut Lane; 4],
        work: &mut Work<[__m256i; 2]>,
        params: Params,
        turn: u32,
    ) -> Result<(), Error> {
        // SAFETY: as for `two`: AVX2 is all that it needs, and `self` proves it.
        unsafe { kernel::twice_two::romix(lanes, work, params, turn) }
    }
}

/// AVX-512F with vectors of 256 bits (AVX-512VL), as [`Self::detect`] found.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Asks the processor and the operating system.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")).then_some(Self(()))
    }

    /// ROMix of four passwords' blocks with this number.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn twice_two(
        self,
        lanes: [&mut Lane; 4],
        work: &mut Work<[__m256i; 2]>,
        params: Params,
        turn: u32,
    ) -> Result<(), Error> {
        // SAFETY: the function needs AVX-512F and AVX-512VL, and nothing else. `self` is made by `detect` alone, since its field
        // is private to this module, and only where both were found; a processor does not lose them while the program runs.
        unsafe { kernel::rotated::romix(lanes, work, params, turn) }
    }
}

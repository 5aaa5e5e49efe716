//! scrypt ([RFC 7914](https://www.rfc-editor.org/rfc/rfc7914)) of several passwords at once.
//!
//! scrypt's inner loop, Salsa20/8, is one long chain of 32-bit additions, rotations and XORs, each of which waits for the one
//! before. One password keeps a quarter of a wide vector register busy, and that for a fraction of the time. So passwords that
//! wait for their hash anyway are computed side by side: each with its own salt, and each with all the memory that its
//! parameters ask for, so that nothing about a hash is cheaper for who wants to guess it. The results are those of any other
//! scrypt, bit by bit.
//!
//! | [`Backend`] | needs | side by side | hashes a second against the crate [`scrypt`] |
//! |---|---|---|---|
//! | `Avx512` | x86-64 with AVX-512F and AVX-512VL | 4, in two vectors | about 3.9 times |
//! | `Avx2` | x86-64 with AVX2 | 4, in two vectors | about 3.6 times |
//! | `Sse2` | x86-64 | 1 | about 1.4 times, since its memory is reused, and asked for early |
//! | `Portable` | nothing | 1 | it *is* that crate |
//!
//! What the processor can do is asked at run time; no build flag is needed. The README has the figures and where they are from.
//!
//! ```
//! use scrypt_lanes::{Hasher, Job, Params};
//!
//! # fn main() -> Result<(), scrypt_lanes::Error> {
//! // N = 2^10, r = 8, p = 1: one MiB a password. For passwords of people take no less than 2^15.
//! let params = Params::new(10, 8, 1)?;
//! let mut hasher = Hasher::new();
//!
//! let (mut first, mut second) = ([0; 64], [0; 64]);
//! hasher.hash(&mut [
//!     Job::new(b"correct horse", b"salt of the first", params, &mut first)?,
//!     Job::new(b"battery staple", b"salt of the second", params, &mut second)?,
//! ])?;
//! assert_ne!(first, second);
//!
//! // The memory is kept for the next call, until it is told to go.
//! hasher.release();
//! assert_eq!(hasher.held_bytes(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # How it is meant to be used
//!
//! One [`Hasher`] for each thread that hashes, one such thread for each core, and a queue before them. A thread takes what is
//! queued, up to [`Hasher::lanes`], and never waits for company: alone, a password takes no longer than with the crate [`scrypt`];
//! four take less than twice as long as one. When the queue is empty for a while, it calls [`Hasher::release`].
//!
//! Compare hashes in constant time; that is not this crate's part.
//!
//! # Memory
//!
//! Each password that is computed at the same time has `128 * N * r` bytes of its own ([`Params::memory_bytes`]): with Medusa's
//! parameters (N = 2^15, r = 8) 32 MiB, so up to 128 MiB for a hasher with four lanes. It is allocated when it is first needed,
//! lane by lane, and then kept and reused; a call that needs no more than those before allocates nothing. (`Portable` holds
//! nothing and allocates at each call.)
//!
//! # What is wiped, and when
//!
//! - After each call: the blocks before and after mixing, and the vectors between (a few KiB). PBKDF2's own state is wiped by
//!   the crates that compute it.
//! - The large tables by [`Hasher::wipe`], [`Hasher::release`] and when the hasher is dropped. After every call it would cost
//!   1.3 ms for each 32 MiB, eight in a hundred of all hashing, for memory that the next call overwrites.
//! - What cannot be wiped: registers, and what the compiler keeps of them on the stack. And `Portable` is another crate, which
//!   frees its memory as it is.

mod backend;
mod hasher;
mod job;
mod params;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use backend::Backend;
pub use hasher::Hasher;
pub use job::Job;
pub use params::Params;

/// Why nothing was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// See [`Params::new`].
    #[error("scrypt does not take these parameters, or this machine cannot address the memory")]
    InvalidParams,
    /// See [`Job::new`].
    #[error("scrypt gives 1 to 137438953440 bytes")]
    InvalidOutputLength,
    /// The system has no memory for the passwords that were to be hashed at the same time.
    #[error("no memory for hashing")]
    OutOfMemory,
}

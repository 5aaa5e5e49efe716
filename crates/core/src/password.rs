//! Passwords: the policy, the two hash formats, and the threads that compute them.
//!
//! A hash takes tens of milliseconds and 32 MiB, so nothing here may run on a thread that answers requests: everything
//! goes through [`HashPool`], which refuses work rather than to pile it up. Whose password it is, and what a wrong one
//! costs, is the callers' part.

mod argon2id;
mod policy;
mod pool;
mod queue;
mod scrypt_kdf;
mod threads;

pub use policy::check_policy;
pub use pool::HashPool;

/// scrypt's cost (RFC 7914).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParams {
    /// Base-2 logarithm of N, the number of blocks.
    pub log_n: u8,
    /// Block size, in units of 128 bytes.
    pub r: u32,
    /// How many times over.
    pub p: u32,
}

impl Default for HashParams {
    /// Medusa's: 32 MiB.
    fn default() -> Self {
        Self { log_n: 15, r: 8, p: 1 }
    }
}

/// Which hash new passwords get. Both kinds verify, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// scrypt-kdf, which Medusa reads.
    Scrypt(HashParams),
    /// Argon2id with 19 MiB, two passes, one lane; no Medusa reads it.
    Argon2id,
}

/// What it takes to compare a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// How often all of that memory is gone through.
    pub passes: u32,
}

/// What a stored hash asks for, whichever kind it is; `None` for one that [`HashPool::verify`] refuses.
pub fn cost_of(stored: &str) -> Option<Cost> {
    scrypt_kdf::ScryptHash::parse(stored)
        .map(|hash| hash.cost())
        .or_else(|| argon2id::Argon2Hash::parse(stored).map(|hash| hash.cost()))
}

/// What comparing a password with a stored hash tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password.
    Match {
        /// Whether the hash is of another kind or cost than new ones get.
        needs_rehash: bool,
    },
    /// It is not.
    Mismatch,
    /// The stored hash cannot be read, or asks for more work than anybody should be able to ask for.
    Refused,
}

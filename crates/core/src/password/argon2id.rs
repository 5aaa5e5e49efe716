//! Argon2id hashes, for shops that no Medusa reads passwords of.
//!
//! Shape: the PHC string `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, salt and hash in base64 without padding.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// What every hash of ours begins with.
const PREFIX: &str = "$argon2id$v=19$";
/// KiB of memory; OWASP's password storage cheat sheet (19 MiB, two passes, one lane).
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;
/// Most that a stored hash may ask for: KiB, passes, lanes.
const MOST: (u32, u32, u32) = (64 * 1024, 8, 4);

/// A stored hash, taken apart; its parameters are within bounds.
pub(crate) struct Argon2Hash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: [u8; HASH_BYTES],
}

impl Argon2Hash {
    /// Reads a stored hash; `None` if it is not one or its parameters are out of bounds.
    pub(crate) fn parse(stored: &str) -> Option<Self> {
        let mut parts = stored.strip_prefix(PREFIX)?.split('$');
        let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let mut costs = costs.split(',');
        let memory_kib = costs.next()?.strip_prefix("m=")?.parse().ok()?;
        let passes = costs.next()?.strip_prefix("t=")?.parse().ok()?;
        let lanes = costs.next()?.strip_prefix("p=")?.parse().ok()?;
        if parts.next().is_some() || costs.next().is_some() {
            return None;
        }
        let salt = STANDARD_NO_PAD.decode(salt).ok().filter(|salt| (8..=64).contains(&salt.len()))?;
        let hash = STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        let (most_memory, most_passes, most_lanes) = MOST;
        let bearable = memory_kib <= most_memory && passes <= most_passes && lanes <= most_lanes;
        bearable.then_some(Self { memory_kib, passes, lanes, salt, hash })
    }

    /// Whether new hashes cost the same.
    pub(crate) fn is_current(&self) -> bool {
        (self.memory_kib, self.passes, self.lanes) == (MEMORY_KIB, PASSES, LANES)
    }

    /// Whether the password is the one that was hashed; compared in constant time.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        derive(password, &self.salt, self.memory_kib, self.passes, self.lanes)
            .is_some_and(|derived| constant_time::verify_slices_are_equal(derived.as_slice(), &self.hash).is_ok())
    }
}

/// A new hash; `None` if the system has no memory for it.
pub(crate) fn hash(password: &[u8], salt: &[u8]) -> Option<String> {
    let derived = derive(password, salt, MEMORY_KIB, PASSES, LANES)?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(derived.as_slice()));
    Some(format!("{PREFIX}m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
}

/// Argon2id, version 19 (RFC 9106); `None` for parameters that it does not take.
fn derive(
    password: &[u8],
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
) -> Option<Zeroizing<[u8; HASH_BYTES]>> {
    let params = Params::new(memory_kib, passes, lanes, Some(HASH_BYTES)).ok()?;
    let mut derived = Zeroizing::new([0; HASH_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, salt, derived.as_mut_slice())
        .ok()?;
    Some(derived)
}

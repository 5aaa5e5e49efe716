//! Argon2id hashes, for shops that no Medusa reads passwords of.
//!
//! Shape: the PHC string `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, salt and hash in base64 without padding.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::password::Cost;

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
        let (mut memory_kib, mut passes, mut lanes) = (None, None, None);
        // The PHC format fixes the order, but npm's `argon2` writes the names sorted.
        for cost in costs.split(',') {
            let (name, value) = cost.split_once('=')?;
            let value = value.parse::<u32>().ok()?;
            let previous = match name {
                "m" => memory_kib.replace(value),
                "t" => passes.replace(value),
                "p" => lanes.replace(value),
                _ => return None,
            };
            if previous.is_some() {
                return None;
            }
        }
        let (memory_kib, passes, lanes) = (memory_kib?, passes?, lanes?);
        if parts.next().is_some() {
            return None;
        }
        let salt = STANDARD_NO_PAD.decode(salt).ok().filter(|salt| (8..=64).contains(&salt.len()))?;
        let hash = STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        let (most_memory, most_passes, most_lanes) = MOST;
        let bearable = memory_kib <= most_memory && passes <= most_passes && lanes <= most_lanes;
        bearable.then_some(Self { memory_kib, passes, lanes, salt, hash })
    }

    /// What Argon2id takes with these parameters.
    pub(crate) fn cost(&self) -> Cost {
        Cost { memory_bytes: u64::from(self.memory_kib) * 1024, passes: self.passes }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by npm's `argon2` 0.45.1 from `Secret123!`, with the parameters that new hashes have here.
    const FROM_NODE: &str = "$argon2id$v=19$m=19456,p=1,t=2$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc$\
        5SXil/NEIF2ZhxbqpdX0jkWyw3bzqAExc3x2tZ4xNtU";

    #[test]
    fn a_hash_of_another_implementation_verifies_and_is_the_one_made_here() {
        let read = Argon2Hash::parse(FROM_NODE).unwrap();
        assert!(read.verify(b"Secret123!") && read.is_current());
        assert!(!read.verify(b"Secret123"));
        let made = hash(b"Secret123!", &[7; 32]).unwrap();
        assert_eq!(made, FROM_NODE.replace("p=1,t=2", "t=2,p=1"));
    }

    #[test]
    fn a_hash_of_another_cost_verifies_but_is_not_current() {
        let stored = "$argon2id$v=19$m=8192,p=1,t=3$EWN/fp+kxM3fhZO3aZJ49Q$6ZE8xALtj/CuSlFe0W4hfnWXArwAF/IjucLd0XZLjEQ";
        let read = Argon2Hash::parse(stored).unwrap();
        assert!(read.verify(b"Secret123!") && !read.is_current());
    }

    #[test]
    fn what_is_unreadable_or_too_costly_is_refused() {
        for (from, to) in [
            ("argon2id", "argon2i"),
            ("v=19", "v=16"),
            ("m=19456", "m=65537"),
            ("m=19456", "m=4294967296"),
            ("m=19456", "m=-1"),
            ("m=19456,", ""),
            ("m=19456", "m=19456,m=19456"),
            ("t=2", "t=9"),
            ("t=2", "t=2,keyid=1"),
            ("p=1", "p=5"),
            ("$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", "$BwcH"),
            ("5SXil", "5SXil!"),
            ("tZ4xNtU", "tZ4xNt"),
            ("tZ4xNtU", "tZ4xNtU$"),
        ] {
            assert!(Argon2Hash::parse(&FROM_NODE.replace(from, to)).is_none(), "{from} as {to}");
        }
    }
}

//! The hashes of npm's `scrypt-kdf`, which Medusa's `emailpass` provider stores.
//!
//! Shape: base64 (128 characters) of 96 bytes, the header of a Tarsnap scrypt file: `scrypt`, 0, log2 N (one byte), r and
//! p (big-endian u32), salt (32), first half of SHA-256 of all before (16), HMAC-SHA-256 of all before (32) under the
//! second half of the 64 bytes that scrypt gives.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::password::{Cost, HashParams};

/// The first seven bytes: the format's name and its version.
const MAGIC: [u8; 7] = *b"scrypt\0";
/// Bytes of salt.
pub(crate) const SALT_BYTES: usize = 32;
/// Bytes that scrypt is asked for.
pub(crate) const KEY_BYTES: usize = 64;
/// Bytes before the checksum.
const HEADER_BYTES: usize = 48;
/// Bytes of checksum.
const CHECKSUM_BYTES: usize = 16;
/// Most memory that a stored hash may ask for.
const MAX_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// Most times over that a stored hash may ask for.
const MAX_P: u32 = 4;

/// A stored hash, taken apart; its parameters are within bounds.
pub(crate) struct ScryptHash {
    /// The cost it was made with.
    pub(crate) params: HashParams,
    /// What it was salted with.
    pub(crate) salt: [u8; SALT_BYTES],
    signed: [u8; HEADER_BYTES + CHECKSUM_BYTES],
    tag: [u8; 32],
}

impl ScryptHash {
    /// Reads a stored hash; `None` if it is not one, its checksum is wrong, or its parameters are out of bounds.
    pub(crate) fn parse(stored: &str) -> Option<Self> {
        let bytes: [u8; 96] = STANDARD.decode(stored).ok()?.try_into().ok()?;
        let (signed, tag) = bytes.split_first_chunk()?;
        let (header, checksum) = signed.split_first_chunk::<HEADER_BYTES>()?;
        if checksum_of(header) != checksum {
            return None;
        }
        let (magic, rest) = header.split_first_chunk()?;
        let (log_n, rest) = rest.split_first()?;
        let (r, rest) = rest.split_first_chunk()?;
        let (p, salt) = rest.split_first_chunk()?;
        let params = HashParams { log_n: *log_n, r: u32::from_be_bytes(*r), p: u32::from_be_bytes(*p) };
        let readable = *magic == MAGIC && is_bearable(params);
        Some(Self { params, salt: salt.try_into().ok()?, signed: *signed, tag: tag.try_into().ok()? })
            .filter(|_| readable)
    }

    /// What scrypt takes with these parameters.
    pub(crate) fn cost(&self) -> Cost {
        Cost { memory_bytes: memory_bytes(self.params), passes: self.params.p }
    }

    /// Whether scrypt's answer, with the salt and the parameters of this hash, is that of the password that was hashed; compared
    /// in constant time.
    pub(crate) fn is_of(&self, derived: &[u8]) -> bool {
        hmac_key(derived).is_some_and(|key| hmac::verify(&key, &self.signed, &self.tag).is_ok())
    }
}

/// A new hash of what scrypt answered for the salt and the parameters; `None` if that has another length than was asked for.
pub(crate) fn seal(derived: &[u8], salt: &[u8; SALT_BYTES], params: HashParams) -> Option<String> {
    let key = hmac_key(derived)?;
    let mut bytes = Vec::with_capacity(96);
    bytes.extend_from_slice(&MAGIC);
    bytes.push(params.log_n);
    bytes.extend_from_slice(&params.r.to_be_bytes());
    bytes.extend_from_slice(&params.p.to_be_bytes());
    bytes.extend_from_slice(salt);
    let checksum = checksum_of(&bytes);
    bytes.extend_from_slice(&checksum);
    let tag = hmac::sign(&key, &bytes);
    bytes.extend_from_slice(tag.as_ref());
    Some(STANDARD.encode(bytes))
}

/// The first half of SHA-256.
fn checksum_of(header: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, header).as_ref().iter().copied().take(CHECKSUM_BYTES).collect()
}

/// The HMAC key: the second half of what scrypt answers.
fn hmac_key(derived: &[u8]) -> Option<hmac::Key> {
    let derived: &[u8; KEY_BYTES] = derived.try_into().ok()?;
    let (_, key) = derived.split_first_chunk::<32>()?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, key))
}

/// Whether a stored hash may make us work this much: log2 N 10 to 17, 64 MiB at most, p up to 4.
fn is_bearable(params: HashParams) -> bool {
    let HashParams { log_n, r, p } = params;
    (10..=17).contains(&log_n) && (1..=MAX_P).contains(&p) && r >= 1 && memory_bytes(params) <= MAX_MEMORY_BYTES
}

/// Bytes of scrypt's table; log2 N beyond 17 counts as 17.
fn memory_bytes(params: HashParams) -> u64 {
    (128 * u64::from(params.r)) << params.log_n.min(17)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scrypt_lanes::{Hasher, Job, Params};

    use super::*;

    /// Made by npm's `scrypt-kdf` 2.0.1.
    const FROM_NODE: [(&str, &str, (u8, u32, u32)); 4] = [
        (
            "Secret123!",
            "c2NyeXB0AA8AAAAIAAAAAZ6G2v3p5l0Ls1EIbVfxjgSeLlHz0INurAsTmvVJCiMJRQKF/ZsM6CPu89luxYc/\
             Utsxdujv1AjCX4oj6OudHhV1c3pTqrO322dfetnbF6By",
            (15, 8, 1),
        ),
        (
            "пароль🔑",
            "c2NyeXB0AA8AAAAIAAAAAYSUzX/D+r8VlTG6t092AysL5PfoHNo+wmBvjV5X2zn38ob4NXj+LW+c0ZbUU97H\
             yTn/255wl9EYldmNy7iwyH3f6mRfEru+H/5WrG4o4G9X",
            (15, 8, 1),
        ),
        (
            "Secret123!",
            "c2NyeXB0AAwAAAAEAAAAAhsa7HcEnP4A2Lifh+/y3EC4Voq3OyVhSKDUHzU9RQ+rSC0CQ0OEDjptCZo+JKjW\
             ROAPnKgF28SL2qfpElcqMKfE8/JdIBzdyN7fCycVFzFO",
            (12, 4, 2),
        ),
        (
            "",
            "c2NyeXB0AAoAAAAIAAAAATSCs4OXlJkSpJuZidkjjyHvL4DeHK8IFySw1kqQgvsi5IZ03u2NlFjIMOlHhwCG\
             aYYTxYgMKa17kM65G/UUA2EJic7W0QtFZgk+hn0v+cW9",
            (10, 8, 1),
        ),
    ];

    /// scrypt's answer for a password, with the salt and the parameters of a stored hash.
    fn derive(password: &str, stored: &ScryptHash) -> [u8; KEY_BYTES] {
        let HashParams { log_n, r, p } = stored.params;
        let mut derived = [0; KEY_BYTES];
        let params = Params::new(log_n, r, p).unwrap();
        let job = Job::new(password.as_bytes(), &stored.salt, params, &mut derived).unwrap();
        Hasher::new().hash(&mut [job]).unwrap();
        derived
    }

    /// Without this, nobody who registered with Medusa could log in here, and the other way round.
    #[test]
    fn hashes_of_scrypt_kdf_verify_and_are_made_byte_for_byte() {
        for (password, stored, (log_n, r, p)) in FROM_NODE {
            let read = ScryptHash::parse(stored).unwrap();
            assert_eq!(read.params, HashParams { log_n, r, p }, "{password}");
            assert!(read.is_of(&derive(password, &read)), "{password}");
            assert!(!read.is_of(&derive(&format!("{password} "), &read)), "{password}");
            assert_eq!(seal(&derive(password, &read), &read.salt, read.params).unwrap(), stored, "{password}");
            assert!(!read.is_of(&[]), "{password}");
        }
    }

    /// A header with a right checksum and any parameters; its tag is nonsense.
    fn stored_with(params: HashParams) -> String {
        let mut bytes = MAGIC.to_vec();
        bytes.push(params.log_n);
        bytes.extend_from_slice(&params.r.to_be_bytes());
        bytes.extend_from_slice(&params.p.to_be_bytes());
        bytes.extend_from_slice(&[1; SALT_BYTES]);
        let checksum = checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes.extend_from_slice(&[2; 32]);
        STANDARD.encode(bytes)
    }

    /// A row from elsewhere must not be able to make a login take minutes or gigabytes.
    #[test]
    fn parameters_are_taken_within_bounds_alone() {
        for (log_n, r, p, taken) in [
            (15, 8, 1, true),
            (10, 1, 1, true),
            (9, 8, 1, false),
            (0, 8, 1, false),
            (16, 8, 1, true),
            (16, 9, 1, false),
            (17, 4, 1, true),
            (17, 5, 1, false),
            (17, 8, 1, false),
            (18, 1, 1, false),
            (255, 1, 1, false),
            (15, 8, 4, true),
            (15, 8, 5, false),
            (15, 8, 0, false),
            (15, 0, 1, false),
            (10, 512, 1, true),
            (10, 513, 1, false),
            (10, u32::MAX, 1, false),
            (10, 8, u32::MAX, false),
        ] {
            let read = ScryptHash::parse(&stored_with(HashParams { log_n, r, p }));
            assert_eq!(read.is_some(), taken, "log N {log_n}, r {r}, p {p}");
        }
    }

    #[test]
    fn what_is_no_whole_hash_is_refused() {
        let good = stored_with(HashParams::default());
        assert!(ScryptHash::parse(&good).is_some());
        let mut wrong_version = STANDARD.decode(&good).unwrap();
        wrong_version[6] = 1;
        for (name, stored) in [
            ("empty", String::new()),
            ("other text", "password".to_owned()),
            ("cut", good[..124].to_owned()),
            ("longer", format!("{good}AAAA")),
            ("other checksum", good.replace("AA8AAAAI", "AA8AAAAJ")),
            ("other version", STANDARD.encode(wrong_version)),
            ("blank in it", good.replace("AA8", "A 8")),
        ] {
            assert!(ScryptHash::parse(&stored).is_none(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_stored_text_makes_reading_panic(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(ScryptHash::parse(&text).is_none());
            prop_assert!(ScryptHash::parse(&STANDARD.encode(bytes)).is_none());
        }
    }
}

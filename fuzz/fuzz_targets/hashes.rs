//! A stored hash asks for bounded work or is refused, and matches nothing but its password. Input: what a row may hold.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cr_core::password::{Algorithm, HashParams, HashPool, Verdict, cost_of};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

const OWN: HashParams = HashParams { log_n: 10, r: 1, p: 1 };
const MEBIBYTE: u64 = 1024 * 1024;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());
static POOL: LazyLock<HashPool> = LazyLock::new(|| HashPool::new(1, Algorithm::Scrypt(OWN)));

/// Compares on the hash threads, as a login does.
fn verify(password: &str, stored: &str) -> Verdict {
    RUNTIME.block_on(POOL.verify("", password.into(), stored.to_owned())).unwrap()
}

/// The same bytes with the magic and the checksum that they need to be read at all.
fn repaired(stored: &str) -> Option<String> {
    let mut bytes = STANDARD.decode(stored).ok()?;
    bytes.resize(96, 7);
    bytes[..7].copy_from_slice(b"scrypt\0");
    let checksum = digest(&SHA256, &bytes[..48]);
    bytes[48..64].copy_from_slice(&checksum.as_ref()[..16]);
    Some(STANDARD.encode(bytes))
}

/// What must hold for any text in a row.
fn judge(stored: &str) {
    let Some(cost) = cost_of(stored) else { return assert_eq!(verify("password", stored), Verdict::Refused) };
    assert!(cost.memory_bytes <= 64 * MEBIBYTE && cost.passes <= 8, "{cost:?} {stored}");
    if !stored.starts_with('$') {
        assert_eq!(STANDARD.encode(STANDARD.decode(stored).unwrap()), stored, "one hash has one spelling");
    }
    if cost.memory_bytes * u64::from(cost.passes) <= MEBIBYTE {
        assert_eq!(verify("no seed's password", stored), Verdict::Mismatch, "{stored}");
    }
}

/// A hash made here of any password is matched by it, and by it alone; changed anywhere, by nothing.
fn make_and_change(password: &str, salt: &[u8]) {
    let mut whole_salt = [0; 32];
    for (to, from) in whole_salt.iter_mut().zip(salt) {
        *to = *from;
    }
    let stored = RUNTIME.block_on(POOL.hash("", password.into(), whole_salt)).unwrap();
    assert_eq!(verify(password, &stored), Verdict::Match { needs_rehash: false });
    assert_eq!(verify(&format!("{password}x"), &stored), Verdict::Mismatch);
    let at = salt.iter().map(|byte| usize::from(*byte)).sum::<usize>() % stored.len();
    let with = char::from(salt.first().copied().unwrap_or(b'A') & 0x7f);
    let changed: String = stored.chars().enumerate().map(|(index, old)| if index == at { with } else { old }).collect();
    assert!(changed == stored || !matches!(verify(password, &changed), Verdict::Match { .. }), "{changed}");
}

fuzz_target!(|stored: &str| {
    judge(stored);
    if let Some(repaired) = repaired(stored) {
        judge(&repaired);
    }
    if stored.len() % 8 == 0 {
        make_and_change(stored, stored.as_bytes());
    }
});

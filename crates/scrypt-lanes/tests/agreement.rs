//! Random jobs, compared with the crate `scrypt`.
#![cfg(test)]

use proptest::prelude::*;
use scrypt_lanes::{Backend, Hasher, Job, Params};

/// What a job is made of, and the number of its parameters.
#[derive(Clone, Debug)]
struct Ingredients {
    password: Vec<u8>,
    salt: Vec<u8>,
    kind: usize,
    output_bytes: usize,
}

/// Any job; a password beyond 64 bytes is one that HMAC hashes first.
fn ingredients() -> impl Strategy<Value = Ingredients> {
    (prop::collection::vec(any::<u8>(), 0..100), prop::collection::vec(any::<u8>(), 0..100), 0_usize..3, 1_usize..100)
        .prop_map(|(password, salt, kind, output_bytes)| Ingredients { password, salt, kind, output_bytes })
}

/// What the other crate says.
fn expected(ingredients: &Ingredients, (log_n, r, p): (u8, u32, u32)) -> Vec<u8> {
    let mut output = vec![0; ingredients.output_bytes];
    let params = scrypt::Params::new(log_n, r, p).unwrap();
    scrypt::scrypt(&ingredients.password, &ingredients.salt, &params, &mut output).unwrap();
    output
}

/// Three kinds of parameters, so that some jobs go side by side and others do not. The hashers are those of the case before,
/// with memory of other sizes and whatever was left in it; now and then it is wiped or given back.
#[test]
fn every_backend_agrees_with_the_crate_whatever_goes_side_by_side() {
    let hashers: Vec<_> = Backend::ALL.into_iter().filter_map(Hasher::with_backend).collect();
    println!("tested here: {:?}", hashers.iter().map(Hasher::backend).collect::<Vec<_>>());
    let hashers = std::cell::RefCell::new(hashers);
    let cases = (
        prop::array::uniform3((1_u8..=8, 1_u32..=9, 1_u32..=4)),
        prop::collection::vec(ingredients(), 0..=9),
        0_u8..10,
    );
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |((kinds, all, chance) in cases)| {
        let expected: Vec<_> = all.iter().map(|ingredients| expected(ingredients, kinds[ingredients.kind])).collect();
        for hasher in hashers.borrow_mut().iter_mut() {
            match chance {
                0 => hasher.release(),
                1 => hasher.wipe(),
                _ => (),
            }
            let mut outputs: Vec<_> = all.iter().map(|ingredients| vec![0; ingredients.output_bytes]).collect();
            let mut jobs: Vec<_> = all
                .iter()
                .zip(&mut outputs)
                .map(|(Ingredients { password, salt, kind, .. }, output)| {
                    let (log_n, r, p) = kinds[*kind];
                    Job::new(password, salt, Params::new(log_n, r, p).unwrap(), output).unwrap()
                })
                .collect();
            hasher.hash(&mut jobs).unwrap();
            prop_assert_eq!(&outputs, &expected, "{:?}", hasher);
        }
    });
}

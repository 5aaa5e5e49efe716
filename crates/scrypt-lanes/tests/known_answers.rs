//! The answers that RFC 7914, section 12, prints, from each backend that this processor has.
//!
//! The fourth of them takes a gigabyte and is in `examples/gigabyte.rs`.
#![cfg(test)]

use scrypt_lanes::{Backend, Hasher, Job, Params};

/// Password, salt, log N, r, p, hash.
type Answer = (&'static str, &'static str, (u8, u32, u32), &'static str);

const ANSWERS: [Answer; 3] = [
    (
        "",
        "",
        (4, 1, 1),
        "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
         fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
    ),
    (
        "password",
        "NaCl",
        (10, 8, 16),
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
         2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    ),
    (
        "pleaseletmein",
        "SodiumChloride",
        (14, 8, 1),
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2\
         d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
    ),
];

/// As the RFC prints it, without the spaces.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Backends that this processor has; what is left out is printed, so that nobody takes it for tested.
fn available() -> Vec<Hasher> {
    let (there, missing): (Vec<_>, Vec<_>) = Backend::ALL.into_iter().partition(|backend| backend.is_available());
    println!("tested here: {there:?}; not on this processor: {missing:?}");
    there.into_iter().filter_map(Hasher::with_backend).collect()
}

/// Beside others, too: one to five of the same at once are every width and every number of idle lanes.
#[test]
fn every_backend_gives_the_answers_of_the_rfc_alone_and_side_by_side() {
    for mut hasher in available() {
        for (password, salt, (log_n, r, p), answer) in ANSWERS {
            let params = Params::new(log_n, r, p).unwrap();
            for count in 1..=5 {
                let mut outputs = vec![[0; 64]; count];
                let mut jobs: Vec<_> = outputs
                    .iter_mut()
                    .map(|output| Job::new(password.as_bytes(), salt.as_bytes(), params, output).unwrap())
                    .collect();
                hasher.hash(&mut jobs).unwrap();
                for output in outputs {
                    assert_eq!(hexadecimal(&output), answer, "{hasher:?}, {count} of {password:?}");
                }
            }
        }
    }
}

#[test]
fn the_answers_come_in_one_call_too_and_may_be_asked_for_again() {
    for mut hasher in available() {
        let mut outputs = [[0; 64]; 6];
        let mut jobs: Vec<_> = ANSWERS
            .iter()
            .cycle()
            .zip(&mut outputs)
            .map(|((password, salt, (log_n, r, p), _), output)| {
                let params = Params::new(*log_n, *r, *p).unwrap();
                Job::new(password.as_bytes(), salt.as_bytes(), params, output).unwrap()
            })
            .collect();
        hasher.hash(&mut jobs).unwrap();
        hasher.hash(&mut jobs).unwrap();
        for ((.., answer), output) in ANSWERS.iter().cycle().zip(&outputs) {
            assert_eq!(hexadecimal(output), *answer, "{hasher:?}");
        }
    }
}

#[test]
fn no_jobs_are_no_work() {
    for mut hasher in available() {
        hasher.hash(&mut []).unwrap();
        assert_eq!(hasher.held_bytes(), 0, "{hasher:?}");
    }
}

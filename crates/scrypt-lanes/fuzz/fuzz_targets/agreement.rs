//! Any jobs, hashed by any backend in memory that earlier jobs left behind, are what the crate `scrypt` makes of them.
#![no_main]

use std::cell::RefCell;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use scrypt_lanes::{Backend, Hasher, Job, Params};

/// A job as the fuzzer makes it up.
#[derive(Debug)]
struct Ingredients {
    password: Vec<u8>,
    salt: Vec<u8>,
    kind: u8,
    output_bytes: u8,
}

// By hand: the macro has `syn` with features that would have all other macros of a workspace built once more.
impl<'a> Arbitrary<'a> for Ingredients {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (kind, output_bytes) = bytes.arbitrary()?;
        Ok(Self { password: bytes.arbitrary()?, salt: bytes.arbitrary()?, kind, output_bytes })
    }
}

/// What happens in one run.
#[derive(Debug)]
struct Run {
    backend: u8,
    kinds: [(u8, u8, u8); 2],
    jobs: Vec<Ingredients>,
    wipe: bool,
    release: bool,
}

impl<'a> Arbitrary<'a> for Run {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (backend, kinds, wipe, release) = bytes.arbitrary()?;
        Ok(Self { backend, kinds, jobs: bytes.arbitrary()?, wipe, release })
    }
}

thread_local! {
    static HASHERS: RefCell<Vec<Hasher>> =
        RefCell::new(Backend::ALL.into_iter().filter_map(Hasher::with_backend).collect());
}

fuzz_target!(|run: Run| {
    let kinds = run.kinds.map(|(log_n, r, p)| (1 + log_n % 6, 1 + u32::from(r % 12), 1 + u32::from(p % 3)));
    let kind = |job: &Ingredients| kinds[usize::from(job.kind % 2)];
    let jobs = &run.jobs[..run.jobs.len().min(9)];
    let mut outputs: Vec<_> = jobs.iter().map(|job| vec![0; 1 + usize::from(job.output_bytes)]).collect();
    HASHERS.with_borrow_mut(|hashers| {
        let which = usize::from(run.backend) % hashers.len();
        let hasher = &mut hashers[which];
        if run.wipe {
            hasher.wipe();
        }
        if run.release {
            hasher.release();
        }
        let mut made: Vec<_> = jobs
            .iter()
            .zip(&mut outputs)
            .map(|(job, output)| {
                let (log_n, r, p) = kind(job);
                Job::new(&job.password, &job.salt, Params::new(log_n, r, p).unwrap(), output).unwrap()
            })
            .collect();
        hasher.hash(&mut made).unwrap();
    });
    for (job, output) in jobs.iter().zip(&outputs) {
        let (log_n, r, p) = kind(job);
        let mut expected = vec![0; output.len()];
        let params = scrypt::Params::new(log_n, r, p).unwrap();
        scrypt::scrypt(&job.password, &job.salt, &params, &mut expected).unwrap();
        assert_eq!(*output, expected, "log N {log_n}, r {r}, p {p}");
    }
});

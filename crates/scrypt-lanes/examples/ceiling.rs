//! The most hashes a second that this machine makes with Medusa's parameters (N = 2^15, r = 8, p = 1), on all of its cores and
//! with every lane taken: what a server that does nothing else could reach. `ceiling SECONDS` prints one line, the rate, how
//! many threads, how many lanes each, and the backend.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use scrypt_lanes::{Error, Hasher, Job, Params};

/// Most lanes of any backend.
const MOST_LANES: usize = 4;

fn main() -> Result<(), Error> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let span = Duration::from_secs(seconds);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(move || work(span))).collect();
    let mut rate = 0.0;
    for thread in running {
        rate += thread.join().map_err(|_| Error::OutOfMemory)??;
    }
    let hasher = Hasher::new();
    println!("{rate:.2} {threads} {} {:?}", hasher.lanes(), hasher.backend());
    Ok(())
}

/// Hashes a second of one thread. The first hashes, which allocate the memory, are not counted.
fn work(span: Duration) -> Result<f64, Error> {
    let mut hasher = Hasher::new();
    hash_all_lanes(&mut hasher)?;
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < span {
        hash_all_lanes(&mut hasher)?;
        count += u32::try_from(hasher.lanes()).unwrap_or(1);
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// One password a lane.
fn hash_all_lanes(hasher: &mut Hasher) -> Result<(), Error> {
    let params = Params::new(15, 8, 1)?;
    let mut outputs = [[0; 64]; MOST_LANES];
    let mut jobs = Vec::with_capacity(MOST_LANES);
    for output in outputs.iter_mut().take(hasher.lanes()) {
        jobs.push(Job::new(b"correct horse battery staple", b"a salt of thirty-two bytes......", params, output)?);
    }
    hasher.hash(&mut jobs)
}

//! How many hashes a second this machine makes with Medusa's parameters (N = 2^15, r = 8, p = 1), on all of its cores.
//!
//! Every way is measured in turn, several times over, so that whatever else the machine does burdens all of them; the ratio is
//! the median of the ratios within a round. Also prints what wiping costs.
#![expect(clippy::print_stdout, reason = "this is what it is for")]

use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use scrypt_lanes::{Backend, Error, Hasher, Job, Params};

/// How often everything is measured.
const ROUNDS: usize = 7;
/// For how long each way is measured in a round.
const SPAN: Duration = Duration::from_millis(1500);

fn main() -> Result<(), Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut ways = vec![(Backend::Portable, 1)];
    for backend in Backend::ALL.into_iter().skip(1).filter(|backend| backend.is_available()) {
        ways.extend([1, 2, 4].into_iter().filter(|count| *count <= backend.lanes()).map(|count| (backend, count)));
    }
    let mut rates = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        for ((backend, count), rates) in ways.iter().zip(&mut rates) {
            rates.push(measure(threads, *backend, *count)?);
        }
    }
    println!("{threads} threads, N = 2^15, r = 8, p = 1, medians of {ROUNDS} rounds");
    println!("{:<10} {:>12} {:>10} {:>12}", "backend", "side by side", "hashes/s", "to the crate");
    let base = rates.first().cloned().unwrap_or_default();
    for ((backend, count), rates) in ways.iter().zip(rates) {
        let ratio = median(rates.iter().zip(&base).map(|(rate, base)| rate / base).collect());
        println!("{:<10} {count:>12} {:>10.1} {ratio:>12.2}", format!("{backend:?}"), median(rates));
    }
    wiping()
}

/// Hashes a second of all threads together.
fn measure(threads: usize, backend: Backend, count: usize) -> Result<f64, Error> {
    let running: Vec<_> = (0..threads).map(|_| thread::spawn(move || work(backend, count))).collect();
    let mut sum = 0.0;
    for thread in running {
        sum += thread.join().map_err(|_| Error::OutOfMemory)??;
    }
    Ok(sum)
}

/// Hashes a second of one thread.
fn work(backend: Backend, count: usize) -> Result<f64, Error> {
    let Some(mut hasher) = Hasher::with_backend(backend) else { return Ok(0.0) };
    hash(&mut hasher, count)?;
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < SPAN {
        hash(&mut hasher, count)?;
        done += 1;
    }
    Ok(f64::from(done) * f64::from(u32::try_from(count).unwrap_or(1)) / start.elapsed().as_secs_f64())
}

/// Hashes so many passwords, up to four.
fn hash(hasher: &mut Hasher, count: usize) -> Result<(), Error> {
    let params = Params::new(15, 8, 1)?;
    let mut outputs = [[0; 64]; 4];
    let mut jobs = Vec::with_capacity(count);
    for output in outputs.iter_mut().take(count) {
        jobs.push(Job::new(b"correct horse battery staple", b"a salt of thirty-two bytes......", params, output)?);
    }
    hasher.hash(&mut jobs)
}

/// Prints how long it takes to wipe 32 MiB, and how long one hash on the same thread.
fn wiping() -> Result<(), Error> {
    let mut hasher = Hasher::new();
    let (mut wipes, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS * 3 {
        let start = Instant::now();
        hash(&mut hasher, 1)?;
        alone.push(start.elapsed().as_secs_f64() * 1000.0);
        let start = Instant::now();
        hasher.wipe();
        wipes.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    println!("wiping 32 MiB: {:.1} ms beside {:.1} ms of one hash alone", median(wipes), median(alone));
    Ok(())
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

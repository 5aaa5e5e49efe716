//! How much else was going on: the same arithmetic timed again and again, which alone would always take as long.

use std::hint::black_box;
use std::time::Instant;

use super::load::median;

/// The samples so far, in milliseconds.
#[derive(Default)]
pub(crate) struct Noise {
    millis: Vec<f64>,
}

impl Noise {
    /// Times a fixed piece of arithmetic, some tens of milliseconds long.
    pub(crate) fn sample(&mut self) {
        let begun = Instant::now();
        let mut state: u64 = 1;
        for _ in 0..20_000_000_u32 {
            state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
        black_box(state);
        self.millis.push(begun.elapsed().as_secs_f64() * 1000.0);
    }

    /// One sentence: how far the slowest sample lies above the quickest, and the system's load.
    pub(crate) fn report(&self) -> String {
        let least = self.millis.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.millis.iter().copied().fold(0.0, f64::max);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("unknown");
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        format!(
            "Machine: {cores} cores, load {load}; the same arithmetic took {least:.0} to {most:.0} ms, median {:.0} ms \
             over {} samples: above 10 % apart, measure again.",
            median(&self.millis),
            self.millis.len()
        )
    }
}

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

    /// One sentence: how far the samples lie apart, the system's load, and whether that is too much.
    pub(crate) fn report(&self) -> String {
        let mut sorted = self.millis.clone();
        sorted.sort_by(f64::total_cmp);
        let least = sorted.first().copied().unwrap_or(0.0);
        let most = sorted.last().copied().unwrap_or(0.0);
        let nine_of_ten = sorted.get(sorted.len() * 9 / 10).copied().unwrap_or(most);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().unwrap_or("unknown");
        let verdict = if is_quiet(least, nine_of_ten) { "quiet enough" } else { "TOO NOISY, measure again" };
        format!(
            "Noise: the same arithmetic took {least:.0} to {most:.0} ms, median {:.0} ms, nine in ten below \
             {nine_of_ten:.0} ms, over {} samples between the rounds; load {load} at the end: {verdict}.",
            median(&self.millis),
            self.millis.len()
        )
    }
}

/// Whether nine in ten samples are within 10 % of the quickest.
fn is_quiet(least: f64, nine_of_ten: f64) -> bool {
    nine_of_ten <= least * 1.1
}

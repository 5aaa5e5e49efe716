//! What the machine could do at the most: hashes with nothing else to do, and commits with nothing else in them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::load::Round;
use super::{Bench, CONNECTIONS};
use crate::command;

/// What the processor hashes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lanes {
    /// Threads, one a core.
    pub(crate) threads: u32,
    /// Passwords side by side in each.
    pub(crate) each: u32,
    /// The way: `Avx2`, `Avx512`, …
    pub(crate) backend: String,
}

/// One round of hashes on all cores, every lane taken.
///
/// # Errors
/// When the program fails.
pub(crate) fn hashes(bench: &Bench, length: Duration) -> Result<(Round, Lanes)> {
    let seconds = length.as_secs().to_string();
    let line = command::output(&bench.scratch, &bench.example("ceiling")?, &[seconds])?;
    read_hashes(&line).with_context(|| format!("`ceiling` printed {line}"))
}

/// Reads `25.31 2 4 Avx2`.
fn read_hashes(line: &str) -> Option<(Round, Lanes)> {
    let mut words = line.split_whitespace();
    let rate = words.next()?.parse().ok()?;
    let (threads, each) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((Round::of_rate(rate), Lanes { threads, each, backend: words.next()?.to_owned() }))
}

/// One round of commits of one row each, by as many at once as there are connections.
///
/// # Errors
/// When the program fails.
pub(crate) fn commits(bench: &Bench, url: &str) -> Result<Round> {
    let (tasks, seconds) = (CONNECTIONS.to_string(), bench.settings.round.as_secs().to_string());
    let line = command::output(&bench.scratch, &bench.example("commits")?, &[url, &tasks, &seconds])?;
    let rate = line.trim().parse().with_context(|| format!("`commits` printed {line}"))?;
    Ok(Round::of_rate(rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_hashes_is_read() {
        let (round, lanes) = read_hashes("25.31 2 4 Avx2\n").unwrap();
        assert!((round.rate - 25.31).abs() < 1e-9);
        assert_eq!(lanes, Lanes { threads: 2, each: 4, backend: "Avx2".to_owned() });
        assert!(read_hashes("error").is_none());
    }
}

//! Many connections asking at once for a fixed time, and what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use super::client::Connection;

/// Makes the bytes of the request with this number; numbers are given out once. `None` when there are no more.
pub(crate) type MakeRequest = Arc<dyn Fn(u64) -> Option<Arc<[u8]>> + Send + Sync>;

/// What one round measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds that half of the requests stayed under.
    pub(crate) median_millis: f64,
    /// Milliseconds that 99 of 100 requests stayed under.
    pub(crate) worst_millis: f64,
}

impl Round {
    /// A round of something that has no single requests: both latencies are 0.
    pub(crate) fn of_rate(rate: f64) -> Self {
        Self { rate, median_millis: 0.0, worst_millis: 0.0 }
    }
}

/// How long a list of requests may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The same bytes for every number.
pub(crate) fn fixed(request: Vec<u8>) -> MakeRequest {
    let request: Arc<[u8]> = request.into();
    Arc::new(move |_| Some(Arc::clone(&request)))
}

/// Sends each of a list once.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_all(address: SocketAddr, connections: usize, requests: Vec<Vec<u8>>) -> Result<Round> {
    let requests: Vec<Arc<[u8]>> = requests.into_iter().map(Into::into).collect();
    let make: MakeRequest =
        Arc::new(move |number| usize::try_from(number).ok().and_then(|index| requests.get(index).cloned()));
    run(address, connections, PATIENCE, &make, &Arc::new(AtomicU64::new(0))).await
}

/// Asks over `connections` connections for `length`, each sending its next request when the last was answered.
///
/// # Errors
/// When a connection breaks, or any answer is not 2xx: a server that refuses is quick, and would look good.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    make: &MakeRequest,
    numbers: &Arc<AtomicU64>,
) -> Result<Round> {
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    let end = begun + length;
    for _ in 0..connections {
        tasks.spawn(ask_until(end, address, Arc::clone(make), Arc::clone(numbers)));
    }
    let mut latencies: Vec<Duration> = Vec::new();
    while let Some(of_one) = tasks.join_next().await {
        latencies.extend(of_one??);
    }
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Ok(Round {
        rate: count(latencies.len()) / elapsed.as_secs_f64(),
        median_millis: millis_at(&latencies, 50),
        worst_millis: millis_at(&latencies, 99),
    })
}

/// One connection's part: how long each of its answers took.
async fn ask_until(
    end: Instant,
    address: SocketAddr,
    make: MakeRequest,
    numbers: Arc<AtomicU64>,
) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Vec::new();
    loop {
        let Some(request) = make(numbers.fetch_add(1, Ordering::Relaxed)) else { return Ok(latencies) };
        let sent = Instant::now();
        if sent >= end {
            return Ok(latencies);
        }
        let answer = connection.send(&request).await?;
        latencies.push(sent.elapsed());
        if !(200..300).contains(&answer.status) {
            bail!("answered {} under load: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
    }
}

/// Milliseconds at a percentile of sorted durations; 0 when there are none.
fn millis_at(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
}

/// A count as a number to divide; exact below 2^32, which no round reaches.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// The middle of the values, or the mean of the two in the middle; 0 when there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    if sorted.len().is_multiple_of(2) && middle > 0 { f64::midpoint(at(middle - 1), at(middle)) } else { at(middle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        for (values, middle) in
            [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0][..], 2.5), (&[7.0][..], 7.0), (&[][..], 0.0)]
        {
            assert!((median(values) - middle).abs() < f64::EPSILON, "{values:?}");
        }
    }

    #[test]
    fn percentiles_stay_inside_what_was_measured() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert!((millis_at(&sorted, 50) - 51.0).abs() < 1e-9);
        assert!((millis_at(&sorted, 99) - 100.0).abs() < 1e-9);
        assert!(millis_at(&[], 50).abs() < f64::EPSILON);
    }
}

//! How many requests there are of a status, where they are too many to count for each page that an administrator looks at.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cr_types::timestamp::Timestamp;

/// As many are counted each time: in a millisecond or two. PostgreSQL takes fifty for two hundred thousand.
const FEW: i64 = 10_000;
/// Milliseconds for which a greater count is taken for true.
const KEPT: i64 = 10_000;

/// What this process counted last, of one status or of all.
#[derive(Default)]
pub struct LargeCounts {
    kept: Mutex<BTreeMap<Option<String>, (i64, Timestamp)>>,
}

impl LargeCounts {
    /// A count that was kept a moment ago.
    pub(super) fn get(&self, status: Option<&str>, now: Timestamp) -> Option<i64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, counted_at) = *kept.get(&status.map(str::to_owned))?;
        (0..KEPT).contains(&(now.millis() - counted_at.millis())).then_some(count)
    }

    /// Keeps a count in the place of the former one, if it is a large one.
    pub(super) fn keep(&self, status: Option<&str>, count: i64, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&status.map(str::to_owned));
        if count > FEW {
            kept.insert(status.map(str::to_owned), (count, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_count_is_kept_for_ten_seconds_and_a_small_one_is_not() {
        let counts = LargeCounts::default();
        let now: Timestamp = "2026-01-02T03:04:05.000Z".parse().unwrap();
        counts.keep(None, 10_001, now);
        counts.keep(Some("pending"), 10_000, now);
        assert_eq!(counts.get(Some("pending"), now), None);
        for (after, kept) in [(0, Some(10_001)), (9_999, Some(10_001)), (10_000, None), (-1, None)] {
            assert_eq!(counts.get(None, now.plus_millis(after)), kept, "after {after} ms");
        }
        counts.keep(None, 20_000, now.plus_millis(10_000));
        assert_eq!(counts.get(None, now.plus_millis(10_001)), Some(20_000));
        // The clock was set back, and there are few.
        counts.keep(None, 3, now);
        assert_eq!(counts.get(None, now.plus_millis(10_001)), None);
    }
}

//! What the bots were let in for, and what went out, held against the caps.

use std::collections::BTreeMap;

use cr_core::keys::Seal;
use cr_testkit::TestDatabase;
use cr_types::timestamp::Timestamp;
use serde_json::Value;

use crate::shop::Shop;
use crate::spending::{Way, caps};

/// A counter of a cap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    /// The name in the options.
    pub(crate) name: &'static str,
    /// Who is counted.
    pub(crate) subject: String,
    /// How long it lasts from its first count.
    pub(crate) seconds: i64,
    /// How many it takes.
    pub(crate) count: usize,
}

/// Every request that was let in, by each counter that it must have taken.
#[derive(Default)]
pub(crate) struct Ledger {
    taken: BTreeMap<Window, Vec<i64>>,
    let_in: usize,
}

impl Ledger {
    /// Notes a request that was let in at a moment, in milliseconds.
    pub(crate) fn note(&mut self, now: i64, bot: u32, way: Way, number: u32) {
        self.let_in += 1;
        for window in caps(bot, way, number) {
            self.taken.entry(window).or_default().push(now);
        }
    }

    /// How many requests were let in.
    pub(crate) fn let_in(&self) -> usize {
        self.let_in
    }

    /// No window of any counter took more than it may.
    pub(crate) fn check_counters(&self) {
        for (window, times) in &self.taken {
            let most = fullest(times.iter().copied(), window.seconds);
            assert!(most <= window.count, "{window:?} let {most} in");
        }
    }
}

/// The most within one fixed window: it begins with the first moment that no window before it holds. Moments are milliseconds, in
/// their order.
pub(crate) fn fullest(times: impl IntoIterator<Item = i64>, seconds: i64) -> usize {
    let (mut most, mut count, mut ends) = (0, 0, i64::MIN);
    for time in times {
        if time >= ends {
            (count, ends) = (0, time + seconds * 1000);
        }
        count += 1;
        most = most.max(count);
    }
    most
}

/// A message of the outbox.
pub(crate) struct Sent {
    /// When, in milliseconds.
    pub(crate) at: i64,
    /// `email` or `sms`.
    pub(crate) channel: String,
    /// The contact, out of the sealed payload.
    pub(crate) to: String,
    /// The customer's id.
    pub(crate) receiver: String,
    /// Whether it holds a link and no code.
    pub(crate) is_reset: bool,
}

/// Everything that goes out to somebody, in its order.
pub(crate) async fn sent(shop: &Shop, database: &TestDatabase) -> Vec<Sent> {
    let rows = database
        .rows(
            "select id, channel, payload, receiver_id, trigger_type, created_at from cr_outbox \
             where channel in ('email', 'sms') order by created_at, id",
        )
        .await;
    let keys = &shop.state().app.shared.keys;
    rows.iter()
        .map(|row| {
            let text = |column: &str| row[column].as_str().unwrap().to_owned();
            let payload = keys.open(Seal::Outbox, &text("id"), &text("payload")).unwrap();
            let payload: Value = serde_json::from_slice(&payload).unwrap();
            Sent {
                at: text("created_at").parse::<Timestamp>().unwrap().millis(),
                channel: text("channel"),
                to: payload["to"].as_str().unwrap().to_owned(),
                receiver: text("receiver_id"),
                is_reset: text("trigger_type") == "auth.password_reset",
            }
        })
        .collect()
}

/// A window holds what comes before its end, and the next begins with what comes after.
#[test]
fn windows_begin_with_their_first_count() {
    for (times, seconds, most) in [
        (vec![], 1, 0),
        (vec![0, 999, 1000, 1999], 1, 2),
        (vec![0, 900, 999, 1000], 1, 3),
        (vec![0, 5000, 5100, 5200], 1, 3),
    ] {
        assert_eq!(fullest(times.clone(), seconds), most, "{times:?}");
    }
}

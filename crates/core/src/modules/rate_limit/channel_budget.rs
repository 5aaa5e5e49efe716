//! `sendsPerChannel`: what all messages of a channel together may cost, and who gets the last of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::rate_limit::{self, Counter};
use crate::options::Rate;

/// The name of the limit.
const NAME: &str = "sendsPerChannel";

/// For whom a message of a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A customer with a proven contact, or older than the demand for one, who asks with a session.
    Trusted,
    /// Anybody else that a message goes to.
    Open,
    /// Nobody: it costs the same statements, but none of the budget, since nothing goes out.
    Nobody,
}

/// Takes everything that a message costs: one of each of `taken`, the narrow ones first, and one from the budget of its channel, half of
/// which is kept for trusted recipients. `looked_at` must have room besides. `Some(seconds)` when anything is used up: then the caller
/// rolls back. The first refusal of a budget's window is an error in the log, since somebody must look.
///
/// One statement, whoever it is for, which looks first, so that who is refused writes nothing; a second tells who is refused why.
///
/// # Errors
/// When a statement fails.
pub async fn take_send(
    cx: &mut Ctx,
    looked_at: &[Counter<'_>],
    taken: &[Counter<'_>],
    channel: &str,
    recipient: Recipient,
) -> Result<Option<i64>, Error> {
    let shared = Arc::clone(&cx.shared);
    let budget = shared.options.limits.sends_per_channel.iter().find(|(name, _)| name == channel);
    let limit = budget.map_or(&[][..], |(_, limit)| limit);
    let half: Vec<Rate> = limit.iter().map(|rate| Rate { count: rate.count.div_euclid(2), ..*rate }).collect();
    let open = format!("{channel}:open");
    // A message to nobody is counted like one that goes out, and refused with it; but it costs nothing.
    let counts = recipient != Recipient::Nobody;
    let whole = (Counter { counts, ..Counter::new(NAME, channel, limit) }, Some(Part::Whole));
    let open = (Counter { counts, ..Counter::new(NAME, &open, &half) }, Some(Part::Open));
    let (budgets, costs) = match recipient {
        Recipient::Trusted => (vec![whole], vec![whole]),
        Recipient::Open | Recipient::Nobody => (vec![whole, open], vec![open, whole]),
    };
    let taken = taken.iter().map(|counter| (*counter, None));
    let seen = looked_at.iter().map(|counter| (*counter, None)).chain(taken.clone()).chain(budgets);
    let (seen, parts): (Vec<Counter<'_>>, Vec<Option<Part>>) = seen.unzip();
    let wanted: Vec<Counter<'_>> = taken.chain(costs).map(|(counter, _)| counter).collect();

    let full = rate_limit::take_all(&mut cx.tx, &seen, &wanted, cx.now).await?;
    let Some((place, seconds)) = full else { return Ok(None) };
    match (parts.get(place), seen.get(place)) {
        (Some(Some(part)), _) => shared.budget_alarms.ring(channel, *part, cx.now, seconds),
        (_, Some(Counter { name, .. })) => tracing::info!(limit.name = name, "Limit {name} is used up"),
        _ => {}
    }
    Ok(Some(seconds))
}

/// Which part of a budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// All of it.
    Whole,
    /// The half that is open to everybody.
    Open,
}

/// Which budgets this process has complained about, and until when: an attacker must not fill the log as well.
#[derive(Default)]
pub struct BudgetAlarms {
    told_until: Mutex<BTreeMap<(String, Part), Timestamp>>,
}

impl BudgetAlarms {
    /// Logs that a budget is used up, once until it is full again in so many seconds.
    fn ring(&self, channel: &str, part: Part, now: Timestamp, seconds: i64) {
        if !self.is_news(channel, part, now, seconds) {
            return;
        }
        match part {
            Part::Whole => tracing::error!(
                channel,
                seconds,
                "The budget of all messages on {channel} is used up for {seconds} seconds: nobody gets any until then"
            ),
            Part::Open => tracing::error!(
                channel,
                seconds,
                "Half of the budget of all messages on {channel} is used up for {seconds} seconds: only customers in good \
                 standing who ask with a session get any until then"
            ),
        }
    }

    /// Whether this was not told yet, which from now on it is.
    fn is_news(&self, channel: &str, part: Part, now: Timestamp, seconds: i64) -> bool {
        let mut told = self.told_until.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (channel.to_owned(), part);
        if told.get(&key).is_some_and(|until| *until > now) {
            return false;
        }
        told.insert(key, now.plus_seconds(seconds));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operator reads one line a window, not one a refusal.
    #[test]
    fn an_alarm_rings_once_a_window() {
        let alarms = BudgetAlarms::default();
        let start: Timestamp = "2026-01-02T03:04:05.000Z".parse().unwrap();
        for (after, channel, part, waiting, is_news) in [
            (0, "sms", Part::Open, 3600, true),
            (10, "sms", Part::Open, 3590, false),
            (10, "sms", Part::Whole, 3590, true),
            (10, "email", Part::Open, 3600, true),
            (3599, "sms", Part::Open, 1, false),
            (3600, "sms", Part::Open, 3600, true),
        ] {
            let now = start.plus_seconds(after);
            assert_eq!(alarms.is_news(channel, part, now, waiting), is_news, "{channel} {part:?} after {after} s");
        }
    }
}

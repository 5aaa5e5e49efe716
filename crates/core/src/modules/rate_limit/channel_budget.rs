//! `sendsPerChannel`: what all messages of a channel together may cost, and who gets the last of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::rate_limit::{peek, take};
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

/// Takes one message from the budget of a channel, half of which is kept for trusted recipients. `Some(seconds)` when it is used
/// up; the first refusal of a window is an error in the log, since somebody must look.
///
/// # Errors
/// When a statement fails.
pub async fn take_from_channel(cx: &mut Ctx, channel: &str, recipient: Recipient) -> Result<Option<i64>, Error> {
    let shared = Arc::clone(&cx.shared);
    let Some((_, limit)) = shared.options.limits.sends_per_channel.iter().find(|(name, _)| name == channel) else {
        return Ok(None);
    };
    let half: Vec<Rate> = limit.iter().map(|rate| Rate { count: rate.count.div_euclid(2), ..*rate }).collect();
    let open = format!("{channel}:open");
    let (tx, now) = (&mut cx.tx, cx.now);
    // A message to nobody looks at the same budgets as one that goes out, and is refused with it; it only counts elsewhere,
    // without an end.
    if let Some(seconds) = peek(tx, NAME, channel, limit, now).await? {
        shared.budget_alarms.ring(channel, Part::Whole, now, seconds);
        return Ok(Some(seconds));
    }
    if recipient != Recipient::Trusted
        && let Some(seconds) = peek(tx, NAME, &open, &half, now).await?
    {
        shared.budget_alarms.ring(channel, Part::Open, now, seconds);
        return Ok(Some(seconds));
    }
    let (part, waiting) = match recipient {
        Recipient::Trusted => (Part::Whole, take(tx, NAME, channel, limit, now).await?),
        Recipient::Open => match take(tx, NAME, &open, &half, now).await? {
            None => (Part::Whole, take(tx, NAME, channel, limit, now).await?),
            full => (Part::Open, full),
        },
        Recipient::Nobody => {
            let endless: Vec<Rate> = limit.iter().map(|rate| Rate { count: i64::MAX, ..*rate }).collect();
            take(tx, NAME, "decoys:open", &endless, now).await?;
            (Part::Whole, take(tx, NAME, "decoys", &endless, now).await?)
        }
    };
    if let Some(seconds) = waiting {
        shared.budget_alarms.ring(channel, part, now, seconds);
    }
    Ok(waiting)
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
                "Half of the budget of all messages on {channel} is used up for {seconds} seconds: only customers with a proven \
                 contact get any until then"
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

//! Failed logins: counted for an identifier and for an address, never serialising the good ones.
//!
//! While there are failures to spare the check, which runs before hashing, only reads, and a failure is counted after it: so many
//! parallel guesses may pass together, at most as many as the hash queues hold. Once they are used up, each opening is claimed
//! before hashing, and of all who come at once one gets it.

use cr_db::Tx;
use cr_db::models::cr_limit::{self, LimitRow};
use cr_types::timestamp::Timestamp;

use crate::app::App;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::modules::rate_limit::{self, Counter};
use crate::options::{Limit, Rate};

/// Days that an address stays known to an identifier after a good login.
const KNOWN_SECONDS: i64 = 30 * 24 * 3600;
/// A good login renews its address at most so often, so that most logins write nothing.
const KNOWN_RENEWAL_SECONDS: i64 = 24 * 3600;
/// The name of the limit on an identifier.
const NAME: &str = "loginFailures";
/// What the keys of known addresses begin with; an index is for those alone.
const KNOWN: &str = "loginKnown";

/// One login attempt as the limits see it.
pub struct Attempt {
    /// A counter for each rate of `loginFailures`, in their order.
    failure_keys: Vec<String>,
    /// The counters that were claimed before hashing, as they were before.
    claimed: Vec<LimitRow>,
    known_key: Option<String>,
    address_subject: Option<String>,
    has_failures: bool,
    is_known_fresh: bool,
}

/// Looks whether this identifier and this address may try now. `identifier` is the HMAC of channel and canonical value.
///
/// # Errors
/// 429 when not; the right password too is not even hashed then.
pub async fn check(app: &App, identifier: &str, address: Option<&str>, now: Timestamp) -> Result<Attempt, Error> {
    let limits = &app.shared.options.limits;
    let failure_keys = keys(&limits.login_failures, identifier);
    let address_subject = rate_limit::address_subject(&app.shared.keys, address);
    let known_key = address_subject.as_ref().map(|address| format!("{KNOWN}:{identifier}:{address}"));
    let of_address = |subject| Counter::new("loginFailuresPerAddress", subject, &limits.login_failures_per_address);
    let of_address = address_subject.as_deref().map(of_address);
    let address_keys: Vec<String> = of_address.iter().flat_map(Counter::keys).map(|(key, _)| key).collect();
    let mut tx = app.db.read().await?;
    let rows = list(&mut tx, failure_keys.iter().chain(&known_key).chain(&address_keys)).await?;
    tx.commit().await?;
    if let Some(seconds) = of_address.and_then(|counter| counter.wait(&rows, now)) {
        return Err(rate_limit::refusal(seconds));
    }
    let known = rows.iter().find(|row| Some(&row.key) == known_key.as_ref()).filter(|row| row.resets_at > now);
    let failures: Vec<LimitRow> = rows.iter().filter(|row| failure_keys.contains(&row.key)).cloned().collect();
    let mut claimed = Vec::new();
    if known.is_none() {
        refuse_blocked(&failures, now)?;
        claimed = claim(app, &failure_keys, &failures, now).await?;
    }
    Ok(Attempt {
        claimed,
        has_failures: !failures.is_empty(),
        is_known_fresh: known
            .is_some_and(|row| row.resets_at > now.plus_seconds(KNOWN_SECONDS - KNOWN_RENEWAL_SECONDS)),
        failure_keys,
        known_key,
        address_subject,
    })
}

/// Forgets the addresses that an identifier, the HMAC of channel and canonical value, logged in from.
///
/// # Errors
/// When the statement fails.
pub async fn forget_addresses(cx: &mut Ctx, identifier: &str) -> Result<(), Error> {
    Ok(cr_limit::delete_known(&mut cx.tx, &format!("{KNOWN}:{identifier}:")).await?)
}

/// The counters of an identifier, one a rate.
fn keys(limit: &Limit, identifier: &str) -> Vec<String> {
    limit.iter().map(|rate| rate_limit::key(NAME, rate.seconds, identifier)).collect()
}

/// The counters that there are.
async fn list(tx: &mut Tx, keys: impl Iterator<Item = &String>) -> Result<Vec<LimitRow>, Error> {
    let keys: Vec<&str> = keys.map(String::as_str).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    Ok(cr_limit::list(tx, &keys).await?)
}

/// 429 while the identifier is shut, by whichever of its rates.
///
/// # Errors
/// Then, with the longest wait.
fn refuse_blocked(failures: &[LimitRow], now: Timestamp) -> Result<(), Error> {
    match failures.iter().filter_map(|row| row.blocked_until).filter(|until| *until > now).max() {
        Some(until) => Err(rate_limit::refusal(until.seconds_after(now))),
        None => Ok(()),
    }
}

/// Takes the opening of each counter that is at its limit, and shuts it as if the attempt had failed already: the counters as they
/// were before.
///
/// # Errors
/// 429 when another attempt was there first; or when a statement fails.
async fn claim(app: &App, keys: &[String], failures: &[LimitRow], now: Timestamp) -> Result<Vec<LimitRow>, Error> {
    let limits = &app.shared.options.limits;
    let mut due = Vec::new();
    for row in failures {
        let rate = keys.iter().zip(&limits.login_failures).find(|(key, _)| **key == row.key).map(|(_, rate)| *rate);
        let Some(rate) = rate.filter(|rate| row.resets_at > now && row.count >= rate.count) else { continue };
        if let Some(seconds) = delay(row.count + 1, rate, limits.login_delay) {
            due.push((row.clone(), now.plus_seconds(seconds)));
        }
    }
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let mut tx = app.db.begin().await?;
    for (row, until) in &due {
        if !cr_limit::claim(&mut tx, row, *until, now).await? {
            refuse_blocked(&list(&mut tx, keys.iter()).await?, now)?;
            return Err(rate_limit::refusal(1));
        }
    }
    tx.commit().await?;
    Ok(due.into_iter().map(|(row, _)| row).collect())
}

/// Gives claimed openings back: the attempt was never judged.
///
/// # Errors
/// When a statement fails.
pub async fn release(app: &App, attempt: &Attempt, now: Timestamp) -> Result<(), Error> {
    if attempt.claimed.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    for row in &attempt.claimed {
        cr_limit::unclaim(&mut tx, row, now).await?;
    }
    Ok(tx.commit().await?)
}

/// Counts a wrong password or an unknown identifier, and shuts the identifier for a while once it is over one of its rates.
///
/// # Errors
/// When a statement fails.
pub async fn count(app: &App, attempt: &Attempt, now: Timestamp) -> Result<(), Error> {
    let limits = &app.shared.options.limits;
    let mut tx = app.db.begin().await?;
    let is_claimed = |key: &String| attempt.claimed.iter().any(|row| row.key == *key);
    let open = attempt.failure_keys.iter().zip(&limits.login_failures).filter(|(key, _)| !is_claimed(key));
    for (key, rate) in open {
        let row = cr_limit::take(&mut tx, key, i64::MAX, now.plus_seconds(rate.seconds), now).await?;
        if let Some(seconds) = row.and_then(|row| delay(row.count, *rate, limits.login_delay)) {
            cr_limit::block(&mut tx, key, now.plus_seconds(seconds), now).await?;
        }
    }
    if let Some(subject) = &attempt.address_subject {
        rate_limit::take(&mut tx, "loginFailuresPerAddress", subject, &limits.login_failures_per_address, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Seconds to shut after this many failures: none below the limit, then 1 doubling to `longest`.
fn delay(count: i64, rate: Rate, longest: i64) -> Option<i64> {
    let over = count.checked_sub(rate.count).filter(|over| *over >= 0)?;
    let doubled = 1_i64.checked_shl(u32::try_from(over.min(40)).unwrap_or(40)).unwrap_or(longest);
    Some(doubled.min(longest)).filter(|seconds| *seconds > 0)
}

/// Forgets the failures of an identifier that has just logged in, and remembers its address. Writes only where something
/// changes.
///
/// # Errors
/// When a statement fails.
pub async fn forgive(app: &App, attempt: &Attempt, now: Timestamp) -> Result<(), Error> {
    let remembers = attempt.known_key.is_some() && !attempt.is_known_fresh;
    if !attempt.has_failures && !remembers {
        return Ok(());
    }
    let statements = attempt.failure_keys.len() * usize::from(attempt.has_failures) + usize::from(remembers);
    let mut tx = if statements > 1 { app.db.begin().await? } else { app.db.single().await? };
    if attempt.has_failures {
        cr_limit::clear(&mut tx, &attempt.failure_keys).await?;
    }
    if let Some(known) = attempt.known_key.as_ref().filter(|_| remembers) {
        cr_limit::renew(&mut tx, known, now.plus_seconds(KNOWN_SECONDS), now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The counters of an identifier, the HMAC of channel and canonical value. What proves its owner, a reset or a verification, forgets them
/// in its transaction, in this order, and last: an erasure holds customers first, then these.
pub fn counters(cx: &Ctx, identifier: &str) -> Vec<String> {
    keys(&cx.shared.options.limits.login_failures, identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_begins_at_the_limit_and_doubles_to_the_longest() {
        let rate = Rate { count: 10, seconds: 86_400 };
        for (count, seconds) in
            [(1, None), (9, None), (10, Some(1)), (11, Some(2)), (19, Some(512)), (20, Some(900)), (5000, Some(900))]
        {
            assert_eq!(delay(count, rate, 900), seconds, "{count} failures");
        }
    }
}

//! Limits that all replicas share: named as in the options, keyed by HMAC, each decided by one statement.
//!
//! A window is fixed: it begins with the first count and ends after its length. What a limit counts within a transaction that
//! rolls back was never counted; where counting must outlive a failure, the caller commits first.

pub mod channel_budget;

use cr_db::Tx;
use cr_db::models::cr_limit::{self, LimitRow, Taking};
use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::Keys;
use crate::options::{Limit, Rate};

/// Takes one from every rate of a limit. `Some(seconds)` when one of them is used up: how long until its window ends.
///
/// # Errors
/// When a statement fails.
pub async fn take(tx: &mut Tx, name: &str, subject: &str, limit: &Limit, now: Timestamp) -> Result<Option<i64>, Error> {
    for rate in limit {
        let key = key(name, rate.seconds, subject);
        if cr_limit::take(tx, &key, rate.count, now.plus_seconds(rate.seconds), now).await?.is_none() {
            return Ok(Some(wait(tx, &key, now).await?));
        }
    }
    Ok(None)
}

/// Takes one or refuses with 429 and a general sentence.
///
/// # Errors
/// 429 when the limit is used up; or when a statement fails.
pub async fn take_or_refuse(
    tx: &mut Tx,
    name: &str,
    subject: &str,
    limit: &Limit,
    now: Timestamp,
) -> Result<(), Error> {
    match take(tx, name, subject, limit, now).await? {
        None => Ok(()),
        Some(seconds) => {
            tracing::info!(limit.name = name, "Limit {name} is used up");
            Err(refusal(seconds))
        }
    }
}

/// What a limit counts for somebody.
#[derive(Clone, Copy)]
pub struct Counter<'a> {
    /// The limit's name.
    pub name: &'a str,
    /// For whom.
    pub subject: &'a str,
    /// Its rates.
    pub limit: &'a [Rate],
    /// Whether a take uses one up; else it is refused as one that does, and waits where that waits.
    pub counts: bool,
}

impl<'a> Counter<'a> {
    /// One that uses up what it takes.
    pub fn new(name: &'a str, subject: &'a str, limit: &'a [Rate]) -> Self {
        Self { name, subject, limit, counts: true }
    }

    /// The key of each rate.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (String, Rate)> {
        self.limit.iter().map(|rate| (key(self.name, rate.seconds, self.subject), *rate))
    }

    /// Seconds to wait, if one of its rates is used up in the rows that there are.
    pub(crate) fn wait(&self, rows: &[LimitRow], now: Timestamp) -> Option<i64> {
        let is_full =
            |row: &LimitRow, key: &str, rate: Rate| row.key == key && row.resets_at > now && row.count >= rate.count;
        let full = self.keys().find_map(|(key, rate)| rows.iter().find(|row| is_full(row, &key, rate)));
        full.map(|row| row.resets_at.seconds_after(now).max(1))
    }
}

/// Seconds to wait for each of some counters that is used up already, without counting: one statement.
///
/// # Errors
/// When the statement fails.
pub async fn peek(tx: &mut Tx, counters: &[Counter<'_>], now: Timestamp) -> Result<Vec<Option<i64>>, Error> {
    let keys: Vec<String> = counters.iter().flat_map(Counter::keys).map(|(key, _)| key).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let rows = if keys.is_empty() { Vec::new() } else { cr_limit::list(tx, &keys).await? };
    Ok(counters.iter().map(|counter| counter.wait(&rows, now)).collect())
}

/// Takes one from every rate of the counters `wanted`, in their order and in one statement, if all that are `seen`, of which they are
/// some, have room. When one has none, its place among `seen`, and how long until its window ends; or their number and a second, where
/// by then all have room again. Then nothing was written; or, where it filled up meanwhile, others were counted all the same, and their
/// rows are held until the caller rolls back.
///
/// # Errors
/// When a statement fails.
pub async fn take_all(
    tx: &mut Tx,
    seen: &[Counter<'_>],
    wanted: &[Counter<'_>],
    now: Timestamp,
) -> Result<Option<(usize, i64)>, Error> {
    let amount_of = |counter: &Counter<'_>| Some(i64::from(counter.counts));
    let mut keys: Vec<(String, Rate, Option<i64>)> = Vec::new();
    for (counter, amount) in wanted.iter().map(|it| (it, amount_of(it))).chain(seen.iter().map(|it| (it, None))) {
        for (key, rate) in counter.keys() {
            if !keys.iter().any(|(known, ..)| *known == key) {
                keys.push((key, rate, amount));
            }
        }
    }
    let takes = keys.iter().filter(|(.., amount)| amount.is_some()).count();
    let mut had_room = Vec::new();
    if takes > 0 {
        let ends = |rate: &Rate| now.plus_seconds(rate.seconds);
        let takings: Vec<Taking<'_>> = keys
            .iter()
            .map(|(key, rate, amount)| Taking { key, most: rate.count, amount: *amount, window_ends: ends(rate) })
            .collect();
        had_room = cr_limit::take_all(tx, &takings, now).await?;
    }
    if had_room.is_empty() {
        let waiting = peek(tx, seen, now).await?;
        let full = waiting.into_iter().enumerate().find_map(|(place, seconds)| Some((place, seconds?)));
        // What was full a moment ago has room by now: who asks again gets it.
        return Ok(full.or_else(|| (takes > 0).then_some((seen.len(), 1))));
    }
    match keys.iter().find(|(key, _, amount)| amount.is_some() && !had_room.contains(key)) {
        Some((key, ..)) => {
            let place = seen.iter().position(|counter| counter.keys().any(|(of_seen, _)| of_seen == *key));
            Ok(Some((place.unwrap_or(seen.len()), wait(tx, key, now).await?)))
        }
        None => Ok(None),
    }
}

/// Gives back what [`take`] took.
///
/// # Errors
/// When a statement fails.
pub async fn give_back(tx: &mut Tx, name: &str, subject: &str, limit: &Limit, now: Timestamp) -> Result<(), Error> {
    for rate in limit {
        cr_limit::give_back(tx, &key(name, rate.seconds, subject), now).await?;
    }
    Ok(())
}

/// Deletes every counter of some names and subjects, whatever its window.
///
/// # Errors
/// When the statement fails.
pub async fn forget(cx: &mut Ctx, subjects: &[(&str, String)]) -> Result<(), Error> {
    let limits = &cx.shared.options.limits;
    let windows = |name: &str| -> Vec<i64> {
        let sections = [&cx.shared.options.email_verification, &cx.shared.options.phone_verification];
        let more = [&cx.shared.options.account_deletion_request, &cx.shared.options.account_deletion_cancel];
        let limit = match name {
            "wrongCodes" => &limits.wrong_codes,
            "sendsPerSubject" => &limits.sends_per_subject,
            "sendsPerDestination" => &limits.sends_per_destination,
            "resets" => &limits.resets,
            "passwordChanges" => &limits.password_changes,
            "loginFailures" => &limits.login_failures,
            _ => return sections.into_iter().chain(more).flatten().map(|it| it.resend_throttle_seconds).collect(),
        };
        limit.iter().map(|rate| rate.seconds).collect()
    };
    let mut keys = Vec::new();
    for (name, subject) in subjects {
        keys.extend(windows(name).into_iter().map(|seconds| key(name, seconds, subject)));
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(cr_limit::delete(&mut cx.tx, &keys).await?)
}

/// The refusal of a limit that has no sentence of its own.
pub fn refusal(seconds: i64) -> Error {
    Error::too_many_requests(format!("Too many requests. Try again in {seconds} seconds"), seconds)
}

/// The subject of limits on a client address; `None` (a trusted peer that forwarded nothing) has no such limit.
pub fn address_subject(keys: &Keys, address: Option<&str>) -> Option<String> {
    address.map(|address| keys.contact_hmac("address", address))
}

/// `name:window:subject`.
pub(crate) fn key(name: &str, seconds: i64, subject: &str) -> String {
    format!("{name}:{seconds}:{subject}")
}

/// Whole seconds until the window of a key ends, at least 1.
async fn wait(tx: &mut Tx, key: &str, now: Timestamp) -> Result<i64, Error> {
    let rows = cr_limit::list(tx, &[key]).await?;
    Ok(rows.first().map_or(1, |row| row.resets_at.seconds_after(now).max(1)))
}

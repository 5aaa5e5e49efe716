//! Limits that all replicas share: named as in the options, keyed by HMAC, decided by one statement a rate.
//!
//! A window is fixed: it begins with the first count and ends after its length. What a limit counts within a transaction that
//! rolls back was never counted; where counting must outlive a failure, the caller commits first.

pub mod channel_budget;

use cr_db::Tx;
use cr_db::models::cr_limit;
use cr_types::timestamp::Timestamp;

use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::Keys;
use crate::options::Limit;

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

/// Seconds to wait when a limit is used up already, without counting.
///
/// # Errors
/// When a statement fails.
pub async fn peek(tx: &mut Tx, name: &str, subject: &str, limit: &Limit, now: Timestamp) -> Result<Option<i64>, Error> {
    for rate in limit {
        let key = key(name, rate.seconds, subject);
        let rows = cr_limit::list(tx, [&key, &key, &key]).await?;
        if let Some(row) = rows.iter().find(|row| row.resets_at > now && row.count >= rate.count) {
            return Ok(Some(row.resets_at.seconds_after(now).max(1)));
        }
    }
    Ok(None)
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
    let rows = cr_limit::list(tx, [key, key, key]).await?;
    Ok(rows.first().map_or(1, |row| row.resets_at.seconds_after(now).max(1)))
}

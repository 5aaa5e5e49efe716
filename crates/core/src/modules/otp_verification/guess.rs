//! One guess at a code: counted and committed before anything is compared, so that a thousand parallel guesses get
//! `maxAttempts` tries, whatever becomes of the requests.

use cr_db::DatabaseKind;
use cr_db::models::otp_verification::{self, GuessCounter, GuessedCode, OtpVerification};
use cr_types::timestamp::Timestamp;

use crate::app::App;
use crate::code;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::keys::{Keys, Seal};
use crate::modules::auth::token::{self, OtpKind, OtpToken};
use crate::modules::rate_limit;
use crate::options::Rate;

/// The name of the limit on guesses at all codes of a subject.
const WRONG_CODES: &str = "wrongCodes";

/// Counts a guess and compares it. What comes back is a code that was right and is not used up yet: the caller's effect does
/// that by [`consume`], in its own transaction.
///
/// # Errors
/// 401 for a token that is none of this kind; 400 for one that expired, was replaced or used; `otp_locked` when no try is
/// left; 400 for a wrong code.
pub async fn take(app: &App, token: &str, guess: &str, kind: OtpKind) -> Result<GuessedCode, Error> {
    let now = app.shared.env.clock.now();
    let token = read(app, token, kind, now)?;
    let max = app.shared.options.max_attempts;
    let counter = |rate: &Rate| GuessCounter {
        start: rate_limit::key(WRONG_CODES, rate.seconds, ""),
        most: rate.count,
        window_ends: now.plus_seconds(rate.seconds),
    };
    let counters: Vec<GuessCounter> = app.shared.options.limits.wrong_codes.iter().map(counter).collect();
    // Of several counters some may have room for what another refuses, which is taken back then; and on SQLite a counter is a statement
    // besides, which must not stay by itself.
    let is_one = counters.is_empty() || (counters.len() == 1 && app.db.kind() == DatabaseKind::Postgres);
    let mut tx = if is_one { app.db.single().await? } else { app.db.begin().await? };
    let guessed = otp_verification::take_attempt(&mut tx, &token.id, kind.as_str(), max, &counters, now).await?;
    let Some(guessed) = guessed else {
        let row = otp_verification::find(&mut tx, &token.id).await?;
        return Err(refusal(row.as_ref(), kind, now));
    };
    app.shared.pass("count-guess");
    tx.commit().await?;
    app.shared.pass("guess-counted");
    let guess = code::normalise(guess, app.shared.options.otp_charset);
    if app.shared.keys.code_matches(guessed.otp.id.as_str(), &guess, &guessed.otp.hashed_code) {
        Ok(guessed)
    } else {
        Err(Error::invalid_data("Invalid OTP code"))
    }
}

/// The token's content, if it is one of this kind that has not expired.
fn read(app: &App, token: &str, kind: OtpKind, now: Timestamp) -> Result<OtpToken, Error> {
    let token =
        token::read_otp(&app.shared.keys, token).filter(|token| token.kind == kind).ok_or_else(invalid_token)?;
    if token.exp <= now { Err(expired()) } else { Ok(token) }
}

/// The live row of a token, without a guess at its code.
///
/// # Errors
/// 401 for a token that is none of this kind; 400 for one that expired, was replaced or used.
pub async fn find_live(cx: &mut Ctx, token: &str, kind: OtpKind) -> Result<OtpVerification, Error> {
    let token = token::read_otp(&cx.shared.keys, token).filter(|token| token.kind == kind).ok_or_else(invalid_token)?;
    let row = otp_verification::find(&mut cx.tx, &token.id).await?;
    let max = cx.shared.options.max_attempts;
    let is_live = row.as_ref().is_some_and(|otp| {
        otp.kind.as_deref() == Some(kind.as_str())
            && otp.verified_at.is_none()
            && otp.deleted_at.is_none()
            && otp.expires_at > cx.now
            && otp.attempts < max
    });
    match row {
        Some(otp) if is_live => Ok(otp),
        row => Err(refusal(row.as_ref(), kind, cx.now)),
    }
}

/// What was sealed into a code's row when it was made; `None` where nothing was.
pub fn open_sealed(keys: &Keys, otp: &OtpVerification) -> Option<Vec<u8>> {
    keys.open(Seal::Otp, otp.id.as_str(), otp.sealed.as_deref()?)
}

/// Uses a code up in the transaction of its effect, and gives its count back: a right code costs nothing. The caller holds the customer
/// already: who holds both takes the customer first, then the code, then its counter. The answer is whether there may be one of the
/// counters `watched`, which the caller forgets at its end, when it waits for nobody any more.
///
/// # Errors
/// 400 `OTP is no longer valid` when another request was quicker.
pub async fn consume(cx: &mut Ctx, otp: &OtpVerification, watched: &[String]) -> Result<bool, Error> {
    let subject = wrong_codes_subject(otp);
    let limit = &cx.shared.options.limits.wrong_codes;
    let keys: Vec<String> = limit.iter().map(|rate| rate_limit::key(WRONG_CODES, rate.seconds, &subject)).collect();
    let consumed = otp_verification::consume(&mut cx.tx, &otp.id, &keys, watched, cx.now).await?;
    Ok(consumed.ok_or_else(no_longer_valid)?.has_watched)
}

/// What `wrongCodes` is keyed by: subject, purpose and origin (the subject's hash holds the origin). `take_attempt` has the same, since
/// it knows the row first.
fn wrong_codes_subject(otp: &OtpVerification) -> String {
    subject_of(&otp.purpose, otp.subject_hmac.as_deref().unwrap_or(otp.customer_id.as_str()))
}

/// The same for a subject that has no row yet: what a send looks at.
pub fn subject_of(purpose: &str, subject: &str) -> String {
    format!("{purpose}:{subject}")
}

/// Why no guess was taken: where nothing is wrong with the row, no try is left, of its own or of its subject.
fn refusal(row: Option<&OtpVerification>, kind: OtpKind, now: Timestamp) -> Error {
    match row {
        Some(otp) if otp.kind.as_deref() != Some(kind.as_str()) => invalid_token(),
        Some(otp) if otp.verified_at.is_some() || otp.deleted_at.is_some() => no_longer_valid(),
        Some(otp) if otp.expires_at <= now => expired(),
        Some(_) => locked(),
        None => no_longer_valid(),
    }
}

/// 401: malformed, forged, or a token of another kind.
fn invalid_token() -> Error {
    Error::unauthorized("Invalid or expired token")
}

/// 400: the time of the code is over, whether or not it was used.
fn expired() -> Error {
    Error::invalid_data("OTP has expired")
}

/// The code was replaced or used, or its contact is another by now.
pub fn no_longer_valid() -> Error {
    Error::invalid_data("OTP is no longer valid")
}

/// 400 with the code `otp_locked`: no guess is left.
fn locked() -> Error {
    Error::not_allowed("Too many attempts. Request a new code.").code("otp_locked")
}

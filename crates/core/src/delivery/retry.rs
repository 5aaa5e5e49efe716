//! Whether and when a failed delivery is tried again: a pure function of the failure's class, the attempt and the clock.

use std::fmt;

use cr_types::timestamp::Timestamp;

/// Why a message did not go out, by class. Holds no address, no code and none of the other side's words: it is stored
/// and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke: name resolution, refusal, TLS, reset.
    Connection,
    /// Not answered in time.
    Timeout,
    /// The mail server refused the session: greeting, log-in, sender. The operator can mend that.
    SmtpSession(u16),
    /// The mail server refused this recipient or this message.
    SmtpMessage(u16),
    /// The mail server broke off, offers not what we need (STARTTLS, a way to log in), or answered what is no SMTP.
    SmtpProtocol,
    /// Any answer but 2xx; with the seconds of `Retry-After`.
    Http {
        /// The status.
        status: u16,
        /// Seconds to wait, if the answer said so.
        retry_after: Option<i64>,
    },
    /// A text message service refused, with an error code of its own (Twilio's).
    TextMessage {
        /// The status of its answer, which decides.
        status: u16,
        /// Its code, such as 21211: for whoever reads the log.
        code: u32,
        /// Seconds to wait, if the answer said so.
        retry_after: Option<i64>,
    },
    /// No provider serves the channel (any more).
    NoProvider,
    /// The recipient is no address for this channel, or the message cannot be built.
    Unsendable,
    /// The payload does not open: another secret, or somebody changed the row.
    Unreadable,
    /// The code in it, or whatever else it was good for, has expired.
    Expired,
    /// The worker ended in the middle of the last attempt.
    Interrupted,
}

impl fmt::Display for Failure {
    /// What `last_error` and the log say.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => formatter.write_str("connection failed"),
            Self::Timeout => formatter.write_str("timed out"),
            Self::SmtpSession(code) => write!(formatter, "mail server refused the session with {code}"),
            Self::SmtpMessage(code) => write!(formatter, "mail server refused the message with {code}"),
            Self::SmtpProtocol => formatter.write_str("mail server broke off or did not speak as expected"),
            Self::Http { status, .. } => write!(formatter, "answered with HTTP status {status}"),
            Self::TextMessage { status, code, .. } => {
                write!(formatter, "answered with HTTP status {status} and error {code}")
            }
            Self::NoProvider => formatter.write_str("no provider serves the channel"),
            Self::Unsendable => formatter.write_str("cannot be sent to this recipient"),
            Self::Unreadable => formatter.write_str("payload cannot be opened"),
            Self::Expired => formatter.write_str("expired before it could be sent"),
            Self::Interrupted => formatter.write_str("the last attempt was interrupted"),
        }
    }
}

/// Twilio's errors that say nothing but that this recipient cannot be reached: 21211 no valid number, 21408 a region that is not
/// enabled, 21610 unsubscribed, 21612 and 21614 not reachable or no mobile, 21635 a landline.
const UNREACHABLE_RECIPIENTS: [u32; 6] = [21211, 21408, 21610, 21612, 21614, 21635];

impl Failure {
    /// Whether the recipient alone is to blame, such as a customer's typing error: nothing that an operator must look at.
    pub fn is_of_recipient(self) -> bool {
        match self {
            Self::SmtpMessage(_) | Self::Unsendable => true,
            Self::TextMessage { code, .. } => UNREACHABLE_RECIPIENTS.contains(&code),
            _ => false,
        }
    }

    /// Seconds that the other side asked to wait.
    fn retry_after(self) -> Option<i64> {
        match self {
            Self::Http { retry_after, .. } | Self::TextMessage { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// Whether the same message may go out at another time.
    fn may_pass(self) -> bool {
        match self {
            Self::Connection | Self::Timeout | Self::SmtpSession(_) | Self::SmtpProtocol | Self::NoProvider => true,
            Self::SmtpMessage(code) => code < 500,
            Self::Http { status, .. } | Self::TextMessage { status, .. } => {
                status >= 500 || matches!(status, 408 | 429)
            }
            Self::Unsendable | Self::Unreadable | Self::Expired | Self::Interrupted => false,
        }
    }
}

/// `notification.retry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts at most.
    pub attempts: i64,
    /// Seconds before the second attempt; doubles from there.
    pub first_seconds: i64,
    /// Seconds between two attempts at most.
    pub max_seconds: i64,
}

impl Default for RetryPolicy {
    /// The defaults of `notification.retry`.
    fn default() -> Self {
        Self { attempts: 10, first_seconds: 5, max_seconds: 3600 }
    }
}

/// What becomes of a message after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Tried again at this moment.
    Later(Timestamp),
    /// Given up.
    Dead,
}

/// What the decision depends on, besides the failure.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Which attempt failed, from 1.
    pub number: i64,
    /// When it failed.
    pub now: Timestamp,
    /// When the message becomes useless.
    pub expires_at: Option<Timestamp>,
    /// Chance, over the whole range: spreads the wait by a fifth either way.
    pub jitter: u16,
}

/// Decides what becomes of a message after a failure.
///
/// The wait doubles with each attempt. It is never more than half of the time that the message is still of use, so that
/// one whose code lives 15 minutes goes out even if the mail server comes back in the eleventh. `Retry-After` lengthens
/// the wait, up to the policy's longest.
pub fn decide(policy: RetryPolicy, failure: Failure, attempt: Attempt) -> Decision {
    let Attempt { number, now, expires_at, jitter } = attempt;
    let useless = expires_at.is_some_and(|moment| moment <= now);
    if !failure.may_pass() || number >= policy.attempts || useless {
        return Decision::Dead;
    }
    let longest = policy.max_seconds.max(1).saturating_mul(1000);
    let doublings = u32::try_from(number.saturating_sub(1).clamp(0, 40)).unwrap_or(40);
    let first = policy.first_seconds.max(1).saturating_mul(1000);
    let planned = first.saturating_mul(1_i64 << doublings).min(longest);
    let per_mille = 800 + i64::from(jitter) * 400 / i64::from(u16::MAX);
    let mut wait = planned.saturating_mul(per_mille) / 1000;
    if let Some(expires_at) = expires_at {
        let left = expires_at.millis().saturating_sub(now.millis());
        wait = wait.min((left / 2).max(1000));
    }
    if let Some(seconds) = failure.retry_after() {
        wait = wait.max(seconds.max(0).saturating_mul(1000).min(longest));
    }
    let next = now.plus_millis(wait);
    Decision::Later(expires_at.map_or(next, |expires_at| next.min(expires_at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-02T03:04:05.000Z";

    fn attempt(number: i64, expires_in: Option<i64>, jitter: u16) -> Attempt {
        let now: Timestamp = NOW.parse().unwrap();
        Attempt { number, now, expires_at: expires_in.map(|seconds| now.plus_seconds(seconds)), jitter }
    }

    /// The wait in milliseconds, or `None` when given up.
    fn wait(failure: Failure, attempt: Attempt) -> Option<i64> {
        match decide(RetryPolicy::default(), failure, attempt) {
            Decision::Later(moment) => Some(moment.millis() - attempt.now.millis()),
            Decision::Dead => None,
        }
    }

    #[test]
    fn a_failure_is_final_or_not_by_its_class() {
        let http = |status| Failure::Http { status, retry_after: None };
        let text = |status, code| Failure::TextMessage { status, code, retry_after: None };
        for (failure, again) in [
            (Failure::Connection, true),
            (Failure::Timeout, true),
            (Failure::SmtpSession(421), true),
            (Failure::SmtpSession(535), true),
            (Failure::SmtpSession(554), true),
            (Failure::SmtpMessage(450), true),
            (Failure::SmtpMessage(451), true),
            (Failure::SmtpMessage(550), false),
            (Failure::SmtpMessage(552), false),
            (Failure::SmtpProtocol, true),
            (http(500), true),
            (http(503), true),
            (http(429), true),
            (http(408), true),
            (http(400), false),
            (http(401), false),
            (http(404), false),
            (http(302), false),
            (text(400, 21211), false),
            (text(400, 21408), false),
            (text(400, 21610), false),
            (text(400, 21614), false),
            (text(400, 30007), false),
            (text(401, 20003), false),
            (text(403, 20005), false),
            (text(404, 20404), false),
            (text(429, 20429), true),
            (text(500, 20500), true),
            (text(503, 20503), true),
            (Failure::NoProvider, true),
            (Failure::Unsendable, false),
            (Failure::Unreadable, false),
            (Failure::Expired, false),
            (Failure::Interrupted, false),
        ] {
            assert_eq!(wait(failure, attempt(1, None, 0)).is_some(), again, "{failure}");
        }
    }

    #[test]
    fn the_wait_doubles_from_five_seconds_to_an_hour_and_ends_with_the_tenth_attempt() {
        // The jitter that changes nothing.
        let middle = 32_768;
        let waits: Vec<_> = (1..=10)
            .map(|number| wait(Failure::Timeout, attempt(number, None, middle)).map(|millis| millis / 1000))
            .collect();
        let expected = [5, 10, 20, 40, 80, 160, 320, 640, 1280].map(Some);
        assert_eq!(waits[..9], expected);
        assert_eq!(waits[9], None);
        let long = RetryPolicy { attempts: 100, ..RetryPolicy::default() };
        assert_eq!(
            decide(long, Failure::Timeout, attempt(60, None, middle)),
            Decision::Later(NOW.parse::<Timestamp>().unwrap().plus_seconds(3600))
        );
    }

    #[test]
    fn jitter_spreads_a_fifth_either_way() {
        assert_eq!(wait(Failure::Timeout, attempt(3, None, 0)), Some(16_000));
        assert_eq!(wait(Failure::Timeout, attempt(3, None, u16::MAX)), Some(24_000));
    }

    #[test]
    fn retry_after_lengthens_the_wait_and_never_beyond_the_longest() {
        for (retry_after, millis) in [(0, 4_000), (3, 4_000), (60, 60_000), (1_000_000, 3_600_000), (-5, 4_000)] {
            let failure = Failure::Http { status: 429, retry_after: Some(retry_after) };
            assert_eq!(wait(failure, attempt(1, None, 0)), Some(millis), "{retry_after}");
            let failure = Failure::TextMessage { status: 429, code: 20429, retry_after: Some(retry_after) };
            assert_eq!(wait(failure, attempt(1, None, 0)), Some(millis), "{retry_after} by text message");
        }
    }

    /// Typing errors of customers wake nobody up; a shop's own mistakes do.
    #[test]
    fn a_recipient_is_to_blame_for_what_only_they_can_mend() {
        let text = |code| Failure::TextMessage { status: 400, code, retry_after: None };
        for (failure, is_of_recipient) in [
            (Failure::SmtpMessage(550), true),
            (Failure::Unsendable, true),
            (text(21211), true),
            (text(21408), true),
            (text(21610), true),
            (text(21614), true),
            (text(21606), false),
            (text(20003), false),
            (Failure::Http { status: 400, retry_after: None }, false),
            (Failure::SmtpSession(535), false),
            (Failure::Expired, false),
        ] {
            assert_eq!(failure.is_of_recipient(), is_of_recipient, "{failure}");
        }
    }

    #[test]
    fn a_message_is_not_planned_beyond_its_use() {
        let patient = Failure::Http { status: 503, retry_after: Some(1_000) };
        for (name, failure, number, expires_in, millis) in [
            ("half of what is left", Failure::Connection, 8, 300, Some(150_000)),
            ("at least a second", Failure::Connection, 8, 1, Some(1_000)),
            ("not after the expiry", patient, 1, 100, Some(100_000)),
            ("expired", Failure::Connection, 1, 0, None),
        ] {
            assert_eq!(wait(failure, attempt(number, Some(expires_in), 0)), millis, "{name}");
        }
    }

    /// A mail server that is down for ten minutes must not cost a code that lives fifteen.
    #[test]
    fn ten_minutes_without_a_server_lose_no_fifteen_minute_code() {
        for jitter in (0..=u16::MAX).step_by(257) {
            let start: Timestamp = NOW.parse().unwrap();
            let expires_at = Some(start.plus_seconds(900));
            let (mut now, mut number) = (start, 1);
            while now < start.plus_seconds(600) {
                let attempt = Attempt { number, now, expires_at, jitter };
                let Decision::Later(next) = decide(RetryPolicy::default(), Failure::Connection, attempt) else {
                    panic!("given up after {number} attempts with jitter {jitter}");
                };
                (now, number) = (next, number + 1);
            }
            assert!(now < start.plus_seconds(850), "jitter {jitter} comes at {now}");
        }
    }
}

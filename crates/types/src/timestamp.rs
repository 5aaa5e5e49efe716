//! The one moment-in-time type: UTC, whole milliseconds, printed as JavaScript's `toISOString` prints it.
//!
//! Medusa's clients see JavaScript dates, so nothing finer than a millisecond may ever be stored or compared.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC with millisecond precision.
///
/// Shape on the wire and in SQLite: `2026-01-02T03:04:05.678Z`, always 24 characters, so comparing text compares time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Takes any moment and drops what is finer than a millisecond.
    pub fn new(moment: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(moment.timestamp_millis()).unwrap_or(moment))
    }

    /// From milliseconds since 1970; `None` outside what a calendar can show.
    pub fn from_millis(millis: i64) -> Option<Self> {
        DateTime::from_timestamp_millis(millis).map(Self)
    }

    /// From whole seconds since 1970, as `iat` and `exp` have them; `None` outside what a calendar can show.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).map(Self)
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Whole seconds since 1970, rounded down: the unit of `iat` and `exp`.
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The same moment for a driver or a formatter.
    pub fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// This moment moved by whole seconds (negative: back). Stays put at the ends of the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// This moment moved by milliseconds (negative: back). Stays put at the ends of the calendar.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        TimeDelta::try_milliseconds(millis).and_then(|delta| self.0.checked_add_signed(delta)).map_or(self, Self)
    }

    /// Seconds from `now` until this moment, rounded up, at least 0: what `Retry-After` wants.
    pub fn seconds_after(self, now: Timestamp) -> i64 {
        let millis = self.millis().saturating_sub(now.millis()).max(0);
        millis / 1000 + i64::from(millis % 1000 > 0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl FromStr for Timestamp {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text).map(|moment| Self::new(moment.to_utc()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_javascript_does_whatever_the_precision_given() {
        for (given, printed) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.678999Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T04:04:05.1+01:00", "2026-01-02T03:04:05.100Z"),
        ] {
            assert_eq!(given.parse::<Timestamp>().unwrap().to_string(), printed, "{given}");
        }
    }

    #[test]
    fn seconds_after_rounds_up_and_never_goes_below_zero() {
        let now = Timestamp::from_millis(1_000).unwrap();
        for (then, seconds) in [(1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2), (0, 0)] {
            assert_eq!(Timestamp::from_millis(then).unwrap().seconds_after(now), seconds, "{then}");
        }
    }
}

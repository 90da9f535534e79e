//! Moments and their arithmetic; no clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `ms` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// How long it is since `earlier`; zero where a clock was set back in between.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// A text that is not a moment as RFC 3339 writes it, or one before 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is not a moment as RFC 3339 writes it")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let at: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        u64::try_from(at.as_millisecond()).map(Self).map_err(|_| TimestampError)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_gives_no_negative_time() {
        let later = Timestamp::from_ms(1_000);
        let earlier = Timestamp::from_ms(3_000);
        assert_eq!(later.since(earlier), Duration::ZERO);
        assert_eq!(earlier.since(later), Duration::from_secs(2));
    }

    #[test]
    fn it_is_written_as_rfc_3339() {
        let at = Timestamp::from_ms(1_800_000_000_123);
        assert_eq!(at.to_string(), "2027-01-15T08:00:00.123Z");
        for text in ["2027-01-15T08:00:00.123Z", "2027-01-15T09:00:00.123456789+01:00"] {
            assert_eq!(text.parse(), Ok(at), "{text}");
        }
        for bad in ["", "yesterday", "0001-01-01T00:00:00Z", "2027-13-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}

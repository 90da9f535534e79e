//! When a CA itself wishes that a certificate be renewed (ACME Renewal Information, RFC 9773).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::certificates::share;
use crate::time::Timestamp;

/// How often a CA is asked at least, and at most.
const SOONEST: Duration = Duration::from_hours(1);
const LATEST: Duration = Duration::from_hours(24);

/// How long after a CA could not be asked it is asked again.
pub const ASKED_AGAIN: Duration = Duration::from_hours(6);

/// The time in which a CA wishes that a certificate be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From then on.
    pub from: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

impl Window {
    /// A moment in it; `chance` goes from 0 to 1. One whose end comes before its beginning is at
    /// its beginning.
    #[must_use]
    pub fn moment(self, chance: f64) -> Timestamp {
        self.from.plus(self.until.since(self.from).mul_f64(share(chance)))
    }
}

/// When a CA is asked for its wish again, that said to ask after `wait`.
#[must_use]
pub fn asked_again_at(now: Timestamp, wait: Duration) -> Timestamp {
    now.plus(wait.clamp(SOONEST, LATEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_in_the_window() {
        let at = Timestamp::from_ms;
        for (from, until, chance, moment) in [
            (1_000, 2_000, 0.0, 1_000),
            (1_000, 2_000, 0.5, 1_500),
            (1_000, 2_000, 1.0, 2_000),
            (1_000, 2_000, 9.0, 2_000),
            (2_000, 1_000, 1.0, 2_000),
        ] {
            let window = Window { from: at(from), until: at(until) };
            assert_eq!(window.moment(chance), at(moment), "{from} {until} {chance}");
        }
    }

    #[test]
    fn a_ca_is_asked_neither_all_the_time_nor_never() {
        let at = Timestamp::from_ms(0);
        for (wait, hours) in [(0, 1), (3_600 * 6, 6), (3_600 * 900, 24)] {
            let again = asked_again_at(at, Duration::from_secs(wait));
            assert_eq!(again, at.plus(Duration::from_hours(hours)), "{wait}");
        }
    }
}

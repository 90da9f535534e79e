//! How long is waited between two looks.

use std::time::Duration;

use crate::secret::random_bytes;

/// The longest wait for a forge that does not answer, unless it is asked less often anyway.
const LONGEST: Duration = Duration::from_mins(15);

/// The first look comes within this time: what came while Toehold was away is found at once, and
/// many apps do not look at the same moment.
const FIRST: Duration = Duration::from_secs(3);

/// The pace of the looks at one repository.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    every: Duration,
    failures: u32,
    began: bool,
}

impl Pace {
    pub(super) const fn new(every: Duration) -> Self {
        Self { every, failures: 0, began: false }
    }

    /// How long to wait before the next look: a little more or less each time, so that many do not
    /// come together.
    pub(super) fn wait(&mut self) -> Duration {
        let [chance] = random_bytes::<1>();
        if !std::mem::replace(&mut self.began, true) {
            return FIRST.min(self.every) * u32::from(chance) / 255;
        }
        self.base() * (90 * 255 + 20 * u32::from(chance)) / (100 * 255)
    }

    fn base(&self) -> Duration {
        let slowed = self.every.saturating_mul(1 << self.failures.min(8));
        slowed.min(LONGEST.max(self.every))
    }

    /// A look succeeded, or did not.
    pub(super) const fn note(&mut self, succeeded: bool) {
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
    }

    /// Whether the last look failed.
    pub(super) const fn is_slowed(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_that_is_away_is_asked_less_and_less_often() {
        let mut pace = Pace::new(Duration::from_mins(1));
        assert!(pace.wait() <= FIRST);
        let mut minutes = Vec::new();
        for _ in 0..6 {
            let wait = pace.wait();
            assert!(wait >= pace.base() * 9 / 10 && wait <= pace.base() * 11 / 10, "{wait:?}");
            minutes.push(pace.base().as_secs() / 60);
            pace.note(false);
        }
        assert_eq!(minutes, [1, 2, 4, 8, 15, 15]);
        pace.note(true);
        assert_eq!(pace.base(), Duration::from_mins(1));
    }

    #[test]
    fn who_asks_seldom_is_not_made_to_ask_more_often() {
        let mut pace = Pace::new(Duration::from_hours(1));
        pace.note(false);
        assert_eq!(pace.base(), Duration::from_hours(1));
    }
}

//! When another certificate is asked for: one request at a time, and after one that came to
//! nothing the next is waited for longer.

use std::time::Duration;

use tokio::time::Instant;

/// How long is waited after the first request that came to nothing, and at most.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What is remembered of asking. It outlives a link: one that breaks at each request would else be
/// asked as often as it is dialled.
#[derive(Debug)]
pub(crate) struct Renewal {
    not_before: Option<Instant>,
    wait: Duration,
}

impl Default for Renewal {
    fn default() -> Self {
        Self { not_before: None, wait: FIRST_WAIT }
    }
}

impl Renewal {
    /// Whether to ask now; whoever is told so asks, and is not told so again before the answer may
    /// be missed.
    pub(crate) fn asks(&mut self, now: Instant) -> bool {
        if self.not_before.is_some_and(|at| now < at) {
            return false;
        }
        self.not_before = Some(now + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }

    /// A certificate was given and kept, and is good for long: the next begins anew.
    pub(crate) fn is_done(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_under_way_and_the_waits_grow_until_one_is_answered() {
        let begun = Instant::now();
        let mut renewal = Renewal::default();
        let mut asked: Vec<u64> = (0..2 * 86_400)
            .filter(|second| renewal.asks(begun + Duration::from_secs(*second)))
            .collect();
        assert_eq!(asked[..5], [0, 30, 90, 210, 450]);
        let last = asked.pop().expect("there were some");
        assert_eq!(asked.pop().map(|before| last - before), Some(3600));
        assert!(asked.len() < 60, "{}", asked.len());
        renewal.is_done();
        assert!(renewal.asks(begun));
        assert!(!renewal.asks(begun + Duration::from_secs(29)));
    }
}

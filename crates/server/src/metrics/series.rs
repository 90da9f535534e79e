//! Seconds in a row.

use std::collections::VecDeque;

use toehold_core::time::Timestamp;
use toehold_core::wire::proxy::{Histogram, InstanceCounters};

/// How many seconds are kept.
const KEPT_SECONDS: u64 = 600;

/// What was counted in one second, or in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that ended: answered, or without an answer.
    pub ended: u64,
    /// Of those: answered with 5xx, or not answered at all.
    pub errors: u64,
    /// Latency of those that were answered.
    pub latency: Histogram,
}

impl Second {
    /// All that was counted so far.
    #[must_use]
    pub fn of(now: &InstanceCounters) -> Self {
        let answered: u64 = now.answered.iter().sum();
        Self {
            ended: answered + now.failed,
            errors: now.answered[4] + now.failed,
            latency: now.latency.clone(),
        }
    }

    /// What was counted between two reports.
    #[must_use]
    pub fn between(before: &InstanceCounters, now: &InstanceCounters) -> Self {
        let (then, all) = (Self::of(before), Self::of(now));
        Self {
            ended: all.ended.saturating_sub(then.ended),
            errors: all.errors.saturating_sub(then.errors),
            latency: all.latency.since(&then.latency),
        }
    }

    fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.errors += other.errors;
        self.latency.add(&other.latency);
    }

    /// Requests a second, where this was counted in `seconds`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn rate(&self, seconds: u64) -> f64 {
        self.ended as f64 / seconds.max(1) as f64
    }

    /// The share of errors, from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn error_share(&self) -> f64 {
        self.errors as f64 / self.ended.max(1) as f64
    }
}

/// The last ten minutes of one release on one track.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// By the second since 1970, oldest first; seconds in which nothing ended are absent.
    seconds: VecDeque<(u64, Second)>,
    first: Option<u64>,
    total: u64,
}

impl Series {
    /// Adds what was counted at `at`.
    pub fn add(&mut self, at: Timestamp, counted: &Second) {
        let second = at.as_ms() / 1_000;
        self.first.get_or_insert(second);
        self.total += counted.ended;
        if counted.ended == 0 {
            return;
        }
        match self.seconds.back_mut() {
            // A clock that was set back adds to the newest second: no time goes backwards here.
            Some((newest, sum)) if *newest >= second => sum.add(counted),
            _ => self.seconds.push_back((second, counted.clone())),
        }
        while self.seconds.front().is_some_and(|(oldest, _)| oldest + KEPT_SECONDS < second) {
            self.seconds.pop_front();
        }
    }

    /// Adds what was counted at some time before `at`: to the whole, and to no second.
    pub fn add_before(&mut self, at: Timestamp, counted: &Second) {
        self.first.get_or_insert(at.as_ms() / 1_000);
        self.total += counted.ended;
    }

    /// Requests since the release was first counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// What was counted in the last `seconds`, and in how many seconds that was: fewer where the
    /// release is younger.
    #[must_use]
    pub fn sum(&self, now: Timestamp, seconds: u64) -> (Second, u64) {
        let now = now.as_ms() / 1_000;
        let from = now.saturating_sub(seconds);
        let mut sum = Second::default();
        for (_, counted) in self.seconds.iter().filter(|(second, _)| *second > from) {
            sum.add(counted);
        }
        let age = now.saturating_sub(self.first.unwrap_or(now)) + 1;
        (sum, age.min(seconds))
    }

    /// The last `seconds` one by one, oldest first, empty ones included.
    #[must_use]
    pub fn last(&self, now: Timestamp, seconds: u64) -> Vec<Second> {
        let now = now.as_ms() / 1_000;
        let from = (now + 1).saturating_sub(seconds);
        let mut out = vec![Second::default(); usize::try_from(seconds).unwrap_or(0)];
        for (second, counted) in &self.seconds {
            let place = second.checked_sub(from).and_then(|place| usize::try_from(place).ok());
            if let Some(slot) = place.and_then(|place| out.get_mut(place)) {
                *slot = counted.clone();
            }
        }
        out
    }

    /// Whether anything of it is still of interest.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        let newest = self.seconds.back().map(|(second, _)| *second).or(self.first);
        newest.is_some_and(|newest| newest + KEPT_SECONDS >= now.as_ms() / 1_000)
    }
}

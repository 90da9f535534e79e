//! For how long somebody who refuses everybody is left alone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::provider::ProviderError;

/// The first wait where nobody says how long, and the longest: whoever mends it does not want to
/// wait long, and one call in five minutes is no burden.
const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(5);

#[derive(Default)]
struct Closed {
    until: Option<Instant>,
    why: String,
    /// How often in a row.
    times: u32,
}

/// Open, or closed until a moment, for a reason. The reason is said in the same words for as long as
/// it is closed: words that count would be news each time.
#[derive(Default)]
pub(super) struct Gate(Mutex<Closed>);

impl Gate {
    /// Why nothing is asked now.
    pub(super) fn pass(&self) -> Result<(), ProviderError> {
        let closed = self.lock();
        match closed.until {
            Some(until) if until > Instant::now() => {
                Err(ProviderError::account(closed.why.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Closes it for `wait`, or for longer each time where that is `None`.
    pub(super) fn close(&self, wait: Option<Duration>, why: String) -> ProviderError {
        let mut closed = self.lock();
        let usual = FIRST.saturating_mul(1 << closed.times.min(10)).min(LONGEST);
        let until = Instant::now() + wait.unwrap_or(usual);
        closed.until = closed.until.max(Some(until));
        closed.times = closed.times.saturating_add(1);
        closed.why.clone_from(&why);
        ProviderError::account(why)
    }

    /// Somebody was let in: where it is closed again, that is for a short time at first.
    pub(super) fn was_passed(&self) {
        self.lock().times = 0;
    }

    /// How long it is closed from now on.
    #[cfg(test)]
    pub(super) fn left(&self) -> Duration {
        self.lock().until.map_or(Duration::ZERO, |it| it.saturating_duration_since(Instant::now()))
    }

    /// As if the wait were over.
    #[cfg(test)]
    pub(super) fn pass_at_once(&self) {
        self.lock().until = None;
    }

    fn lock(&self) -> MutexGuard<'_, Closed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

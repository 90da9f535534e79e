//! How often it is written down that somebody was refused: a stranger may knock as often as he
//! likes, and must not fill the events with it.

use std::time::Duration;

use toehold_core::time::Timestamp;

/// The least time between two words about it.
const PAUSE: Duration = Duration::from_mins(10);

/// What was said, and what was not.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    said_at: Option<Timestamp>,
    unsaid: u64,
}

impl Refusals {
    /// Somebody was refused. Where that is to be said: how many were not spoken of before.
    pub(super) fn note(&mut self, now: Timestamp) -> Option<u64> {
        // A clock that was set back is no reason to be silent for long.
        let is_early = self.said_at.is_some_and(|at| at <= now && now.since(at) < PAUSE);
        if is_early {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

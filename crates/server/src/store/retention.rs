//! How much of the past is kept.

use std::time::Duration;

use toehold_core::time::Timestamp;

use crate::store::{CommitError, Key, LogRange, Rev, Store};

/// How many entries are looked at together.
const LOOKED_AT: usize = 500;

/// How much of the past is kept. Documents themselves are always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many revisions of the history of documents: who watches falls behind at most so far, and
    /// an operation is known again for so long.
    pub history: u64,
    /// The audit, for so long.
    pub audit: Duration,
}

impl Default for Retention {
    /// Ten thousand revisions, and the audit for a year.
    fn default() -> Self {
        Self { history: 10_000, audit: Duration::from_hours(365 * 24) }
    }
}

impl Retention {
    /// Forgets what is older; called now and then. Says how many entries went.
    pub async fn apply(self, store: &dyn Store, now: Timestamp) -> Result<u64, CommitError> {
        let newest = store.log("", LogRange::Before(Rev::MAX), 1).await?;
        let last = newest.first().map_or(0, |entry| entry.rev.0);
        let history = Rev(last.saturating_sub(self.history));
        let appended = self.end_of_old(store, now).await?;
        store.compact(history, appended).await
    }

    /// The last of the entries at the beginning of the audit that are all too old. A clock that was
    /// wrong for a while keeps some for longer and takes none too early.
    async fn end_of_old(self, store: &dyn Store, now: Timestamp) -> Result<Rev, CommitError> {
        let mut end = Rev::NONE;
        loop {
            let entries = store.log(Key::EVENTS, LogRange::After(end), LOOKED_AT).await?;
            for entry in &entries {
                if now.since(entry.at) <= self.audit {
                    return Ok(end);
                }
                end = entry.rev;
            }
            if entries.len() < LOOKED_AT {
                return Ok(end);
            }
        }
    }
}

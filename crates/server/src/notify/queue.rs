//! What a channel knows of its letters, kept in step with the store by its watch.

use std::collections::BTreeMap;

use toehold_core::time::Timestamp;

use crate::notify::backoff::next_try;
use crate::notify::outbox::{Undelivered, Waiting};
use crate::store::{Doc, Key, LogEntry, Op, Watch};

/// What a channel knows of its letters.
pub(super) struct Queue {
    pub(super) letters: BTreeMap<Key, Doc<Waiting>>,
    pub(super) changes: Watch,
    /// The receiver is away: no letter is tried before this.
    away_until: Timestamp,
    /// How often in a row it was found away.
    away_tries: u32,
}

impl Queue {
    pub(super) fn new(docs: Vec<Doc>, changes: Watch) -> Self {
        let away_until = Timestamp::default();
        let mut queue = Self { letters: BTreeMap::new(), changes, away_until, away_tries: 0 };
        for doc in docs {
            queue.take_in(doc);
        }
        queue
    }

    /// The letter to be tried first, and when.
    pub(super) fn due(&self) -> Option<(Timestamp, Key)> {
        let first = self.letters.values().min_by_key(|doc| doc.value.next_at)?;
        Some((first.value.next_at.max(self.away_until), first.key.clone()))
    }

    /// A receiver that is away is asked again by one letter at a time, later and later.
    pub(super) fn note_away(&mut self, outcome: &Result<(), Undelivered>, now: Timestamp) {
        if let Err(Undelivered::Away(_)) = outcome {
            self.away_tries += 1;
            self.away_until = next_try(now, self.away_tries, now).unwrap_or(now);
        } else {
            self.away_tries = 0;
        }
    }

    pub(super) fn follow(&mut self, entry: LogEntry) {
        match (entry.op, entry.value) {
            (Op::Put, Some(value)) => {
                let known = self.letters.get(&entry.key).is_some_and(|doc| doc.rev >= entry.rev);
                if !known {
                    self.take_in(Doc { key: entry.key, rev: entry.rev, value });
                }
            }
            _ => {
                self.letters.remove(&entry.key);
            }
        }
    }

    pub(super) fn take_in(&mut self, doc: Doc) {
        let key = doc.key.clone();
        match doc.read() {
            Ok(doc) => {
                self.letters.insert(key, doc);
            }
            Err(error) => {
                tracing::error!(error = %error, "a letter cannot be read and is left where it is");
            }
        }
    }
}

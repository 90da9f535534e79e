//! What a channel knows of its letters, kept in step with the store by its watch.

use std::collections::{BTreeMap, BTreeSet};

use toehold_core::model::EventKind;
use toehold_core::time::Timestamp;

use crate::notify::Channel;
use crate::notify::backoff::next_try;
use crate::notify::outbox::{Undelivered, Waiting};
use crate::notify::storm::{Pace, STORM};
use crate::store::{Doc, Key, LogEntry, Op, Watch};

/// What a channel knows of its letters.
pub(super) struct Queue {
    pub(super) letters: BTreeMap<Key, Doc<Waiting>>,
    pub(super) changes: Watch,
    /// Those ended here whose end the watch has not told of yet: it may still tell of a change
    /// before that, and what was delivered is not taken in again.
    ended: BTreeSet<Key>,
    /// The receiver is away: no letter is tried before this.
    away_until: Timestamp,
    /// How often in a row it was found away.
    away_tries: u32,
    /// What went lately.
    pub(super) pace: Pace,
    channel: Channel,
}

impl Queue {
    pub(super) fn new(channel: Channel, docs: Vec<Doc>, changes: Watch) -> Self {
        let away_until = Timestamp::default();
        let (letters, ended, pace) = (BTreeMap::new(), BTreeSet::new(), Pace::default());
        let mut queue = Self { letters, changes, ended, away_until, away_tries: 0, pace, channel };
        for doc in docs {
            queue.take_in(doc);
        }
        queue
    }

    /// The letter to be tried first, and when.
    pub(super) fn due(&self) -> Option<(Timestamp, Key)> {
        let first = self.letters.values().min_by_key(|doc| doc.value.next_at)?;
        let free_at = self.away_until.max(self.pace.free_at(self.channel));
        Some((first.value.next_at.max(free_at), first.key.clone()))
    }

    /// The letters that are due at once where they are a storm, oldest first; none else.
    pub(super) fn storm(&self, now: Timestamp) -> Vec<&Doc<Waiting>> {
        // What some have already is not told them again within another letter.
        let single = |doc: &&Doc<Waiting>| {
            doc.value.letter.kind != EventKind::MessagesJoined && doc.value.reached.is_empty()
        };
        let due = self.letters.values().filter(|doc| doc.value.next_at <= now).filter(single);
        let due: Vec<&Doc<Waiting>> = due.collect();
        if due.len() < STORM { Vec::new() } else { due }
    }

    /// A receiver that is away is asked again by one letter at a time, later and later.
    pub(super) fn note(&mut self, outcome: &Result<(), Undelivered>, now: Timestamp) {
        match outcome {
            Err(Undelivered::Away(_)) => {
                self.away_tries += 1;
                self.away_until = next_try(now, self.away_tries, now).unwrap_or(now);
            }
            Err(Undelivered::Busy(wait, _)) => {
                self.away_tries = 0;
                self.away_until = now.plus(*wait);
            }
            Ok(()) | Err(Undelivered::Later(_) | Undelivered::Never(_)) => self.away_tries = 0,
        }
        if outcome.is_ok() {
            self.pace.went(now);
        }
    }

    /// Notes that a letter is in the store no more.
    pub(super) fn end(&mut self, key: Key) {
        self.letters.remove(&key);
        self.ended.insert(key);
    }

    pub(super) fn follow(&mut self, entry: LogEntry) {
        if let (Op::Put, Some(value)) = (entry.op, entry.value) {
            let known = self.ended.contains(&entry.key)
                || self.letters.get(&entry.key).is_some_and(|doc| doc.rev >= entry.rev);
            if !known {
                self.take_in(Doc { key: entry.key, rev: entry.rev, value });
            }
        } else {
            self.ended.remove(&entry.key);
            self.letters.remove(&entry.key);
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

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream::pending;

    use super::*;
    use crate::notify::Letter;
    use crate::notify::outbox::waiting;
    use crate::store::Rev;

    #[test]
    fn what_was_delivered_is_not_taken_in_again_from_a_watch_that_lags() {
        let at = Timestamp::from_ms(1_800_000_000_000);
        let (key, letter) = waiting(Letter::test("ann", at), Channel::Ntfy);
        let entry = |rev, op| LogEntry {
            rev: Rev(rev),
            at,
            key: key.clone(),
            op,
            value: (op == Op::Put).then(|| serde_json::to_string(&letter).expect("it is JSON")),
            actor: "toehold".into(),
        };
        let mut queue = Queue::new(Channel::Ntfy, Vec::new(), pending().boxed());
        queue.follow(entry(1, Op::Put));
        assert!(queue.due().is_some());
        queue.end(key.clone());
        queue.follow(entry(2, Op::Put));
        assert!(queue.due().is_none());
        queue.follow(entry(3, Op::Delete));
        queue.follow(entry(4, Op::Put));
        assert!(queue.due().is_some());
    }
}

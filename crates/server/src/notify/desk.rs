//! One channel at work: what is due is tried, and what came of it is written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use toehold_core::model::{Event, EventKind};
use toehold_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::notify::backoff::next_try;
use crate::notify::links::Links;
use crate::notify::mail::whys;
use crate::notify::outbox::{Delivered, Undelivered, Waiting, waiting};
use crate::notify::queue::Queue;
use crate::notify::sender::Sender;
use crate::notify::storm;
use crate::store::{CommitError, Committed, Doc, Fault, Key, Rev, Store, Txn, Write};

/// How long a delivery that is under way may still take when Toehold is to end.
const LAST_CALL: Duration = Duration::from_secs(3);

/// The wait before the store is asked again.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// One channel at work.
pub(super) struct Desk {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sender: Sender,
    pub(super) links: Option<Links>,
}

impl Desk {
    /// Reads the queue and works on it; begins anew where the store asks for it.
    pub(super) async fn serve(&self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            let outcome = tokio::select! {
                outcome = self.work(shutdown) => outcome,
                () = last_call(shutdown) => return,
            };
            if let Err(fault) = outcome {
                let channel = self.sender.channel();
                tracing::warn!(%channel, error = %fault, "letters wait: the store does not answer");
                tokio::select! {
                    () = tokio::time::sleep(STORE_AGAIN) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }

    /// Ends when the queue is to be read anew, or at shutdown.
    async fn work(&self, shutdown: &CancellationToken) -> Result<(), Fault> {
        let prefix = self.sender.channel().prefix();
        let (docs, rev) = self.store.list(&prefix).await?;
        let mut queue = Queue::new(self.sender.channel(), docs, self.store.watch(&prefix, rev));
        loop {
            let due = queue.due();
            let wait = async {
                match &due {
                    Some((at, _)) => self.clock.wait_until(*at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                change = queue.changes.next() => match change {
                    Some(Ok(entry)) => queue.follow(entry),
                    // Compacted, or the store did not answer: what waits is read anew.
                    Some(Err(_)) | None => return Ok(()),
                },
                () = wait => if let Some((_, key)) = due {
                    if self.join(&mut queue).await? {
                        continue;
                    }
                    let Some(doc) = queue.letters.remove(&key) else { continue };
                    self.try_one(doc, &mut queue).await?;
                },
            }
        }
    }

    /// Puts a storm of letters into one, in one step of the store; whether that was done. Where the
    /// store will not take it, each goes by itself: nothing is lost by it.
    async fn join(&self, queue: &mut Queue) -> Result<bool, Fault> {
        let (now, channel) = (self.clock.now(), self.sender.channel());
        let storm = queue.storm(now);
        if storm.is_empty() {
            return Ok(false);
        }
        let letters: Vec<&Waiting> = storm.iter().map(|doc| &doc.value).collect();
        let (letter, taken) = storm::join(&letters, channel, now);
        let (key, joined) = waiting(letter, channel);
        let text = format!("{taken} messages by {channel} are put into one");
        let event = self.event(EventKind::MessagesJoined, text, &joined, "", now);
        let mut txn = Txn::by("toehold").write(Write::put(key.clone(), &joined));
        for doc in &storm[..taken] {
            txn = txn.expect(doc.key.clone(), doc.rev).write(Write::delete(doc.key.clone()));
        }
        let gone: Vec<Key> = storm[..taken].iter().map(|doc| doc.key.clone()).collect();
        let txn = txn.write(Write::event(&event)).op_id(key.to_string());
        let committed = match self.store.commit(txn).await {
            Ok(committed) => committed,
            // Somebody changed what waits, or the store is busy: it is read anew.
            Err(error) if error.is_transient() || matches!(error, CommitError::Conflict { .. }) => {
                return Err(Fault { reason: error.to_string(), source: None });
            }
            Err(error) => {
                tracing::warn!(%channel, %error, "many letters cannot be put into one");
                return Ok(false);
            }
        };
        for key in gone {
            queue.end(key);
        }
        let doc = Doc { key: key.clone(), rev: committed.revs[0], value: joined };
        queue.letters.insert(key, doc);
        tracing::info!(%channel, letters = taken, "many letters were put into one");
        Ok(true)
    }

    async fn try_one(&self, mut doc: Doc<Waiting>, queue: &mut Queue) -> Result<(), Fault> {
        let now = self.clock.now();
        let ways = self.links.as_ref().map(|it| it.of(&doc.value, self.sender.channel(), now));
        let (ways, mut put_off) = (ways.unwrap_or_default(), BTreeMap::new());
        let outcome = loop {
            match self.sender.deliver(&mut doc.value, &ways, &mut put_off, now).await {
                // Whoever has it by now has it once, wherever we end.
                Ok(Delivered::Partly) => {
                    let write = Write::put(doc.key.clone(), &doc.value);
                    match self.write(vec![write], &doc.key, doc.rev).await? {
                        Some(committed) => doc.rev = committed.revs[0],
                        None => return Ok(()),
                    }
                }
                Ok(Delivered::Whole) => break Ok(()),
                Err(undelivered) => break Err(undelivered),
            }
        };
        let now = self.clock.now();
        queue.note(&outcome, now);
        let Doc { key, rev, value } = doc;
        let waiting = Waiting { attempts: value.attempts + 1, ..value };
        let again = next_try(waiting.created_at, waiting.attempts, now);
        let (channel, id) = (self.sender.channel(), waiting.id.as_str());
        let (next_at, why) = match (outcome, again) {
            (Ok(()), _) => {
                tracing::info!(%channel, letter.id = id, "a letter was delivered");
                let mut events = vec![self.sent(&waiting, now)];
                if !waiting.refused.is_empty() {
                    events.push(self.failed(&waiting, &whys(&waiting), now));
                }
                let writes = end(&key, &events);
                return self.settle(writes, Doc { key, rev, value: waiting }, queue).await;
            }
            (Err(Undelivered::Never(why)), _)
            | (
                Err(Undelivered::Later(why) | Undelivered::Away(why) | Undelivered::Busy(_, why)),
                None,
            ) => {
                tracing::error!(%channel, letter.id = id, error = why, "a letter could not be delivered");
                let mut events = vec![self.failed(&waiting, &why, now)];
                if !waiting.reached.is_empty() {
                    events.insert(0, self.sent(&waiting, now));
                }
                let writes = end(&key, &events);
                return self.settle(writes, Doc { key, rev, value: waiting }, queue).await;
            }
            (Err(Undelivered::Later(why)), Some(next_at)) => (next_at, why),
            // The whole channel waits; in it, this letter keeps its place.
            (Err(Undelivered::Away(why) | Undelivered::Busy(_, why)), Some(_)) => {
                (waiting.next_at, why)
            }
        };
        tracing::warn!(%channel, letter.id = id, error = why, "a letter was not taken and waits");
        let waiting = Waiting { next_at, last_error: Some(why), ..waiting };
        let writes = vec![Write::put(key.clone(), &waiting)];
        self.settle(writes, Doc { key, rev, value: waiting }, queue).await
    }

    /// Writes down what came of a try.
    async fn settle(
        &self,
        writes: Vec<Write>,
        doc: Doc<Waiting>,
        queue: &mut Queue,
    ) -> Result<(), Fault> {
        let stays = matches!(writes.first(), Some(Write::Put { .. }));
        if let Some(committed) = self.write(writes, &doc.key, doc.rev).await? {
            if stays {
                let doc = Doc { rev: committed.revs[0], ..doc };
                queue.letters.insert(doc.key.clone(), doc);
            } else {
                queue.end(doc.key);
            }
        }
        Ok(())
    }

    /// Writes about a letter as it was at `rev`, however long the store takes: what was delivered is
    /// not delivered again. `None` where somebody took the letter away or changed it; the watch says
    /// how.
    async fn write(
        &self,
        writes: Vec<Write>,
        key: &Key,
        rev: Rev,
    ) -> Result<Option<Committed>, Fault> {
        let txn = Txn { writes, ..Txn::by("toehold") }.expect(key.clone(), rev);
        let txn = txn.op_id(format!("{key}/{rev}"));
        loop {
            match self.store.commit(txn.clone()).await {
                Ok(committed) => return Ok(Some(committed)),
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = %error, "what came of a letter could not be written yet");
                    tokio::time::sleep(STORE_AGAIN).await;
                }
                Err(CommitError::Conflict { .. }) => return Ok(None),
                Err(error) => {
                    return Err(Fault { reason: error.to_string(), source: None });
                }
            }
        }
    }

    fn sent(&self, waiting: &Waiting, now: Timestamp) -> Event {
        let (channel, to) = (self.sender.channel(), self.sender.reached(waiting));
        let text = format!("{channel} to {to}: {}", waiting.letter.headline);
        self.event(EventKind::MessageSent, text, waiting, "", now)
    }

    fn failed(&self, waiting: &Waiting, why: &str, now: Timestamp) -> Event {
        let (channel, to) = (self.sender.channel(), self.sender.missed(waiting));
        let headline = &waiting.letter.headline;
        let text = format!("{channel} to {to} could not be delivered: {headline}: {why}");
        self.event(EventKind::MessageFailed, text, waiting, why, now)
    }

    fn event(
        &self,
        kind: EventKind,
        text: String,
        waiting: &Waiting,
        why: &str,
        now: Timestamp,
    ) -> Event {
        Event {
            rev: 0,
            at: now,
            app: waiting.letter.app.clone(),
            kind,
            subject: waiting.letter.about.clone(),
            cause: None,
            actor: "toehold".to_owned(),
            text,
            facts: json!({
                "channel": self.sender.channel(),
                "letter": waiting.letter.kind,
                "id": waiting.id,
                "attempts": waiting.attempts,
                "waited_ms": now.since(waiting.created_at).as_millis(),
                "error": why,
            }),
        }
    }
}

/// The letter waits no more, and events say why.
fn end(key: &Key, events: &[Event]) -> Vec<Write> {
    std::iter::once(Write::delete(key.clone())).chain(events.iter().map(Write::event)).collect()
}

/// Ends some time after the shutdown.
async fn last_call(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(LAST_CALL).await;
}

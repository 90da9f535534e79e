//! What happened: written, read, followed.

use toehold_core::model::{AppName, Event};
use tracing::error;

use super::causes::Causes;
use super::{Control, ControlError};
use crate::store::{Key, LogEntry, LogRange, Rev, Txn, Write};

/// The most events one answer has.
const MOST: usize = 1_000;

/// Which way through the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// What came after a revision, oldest first.
    After(u64),
    /// What came last, oldest first.
    Last,
}

impl Control {
    /// Writes an event that changes nothing else. Where the store cannot take it, the log says so:
    /// what was done is done.
    pub(super) async fn say(&self, event: Event) -> Option<u64> {
        let txn = Txn::by(&event.actor).write(Write::event(&event));
        match self.store().commit(txn).await {
            Ok(committed) => committed.revs.last().map(|rev| rev.0),
            Err(error) => {
                error!(event.kind = %event.kind, event.text = %event.text, %error, "an event could not be kept");
                None
            }
        }
    }

    /// Writes an event unless the newest of its app says the same: what is found wrong at each look
    /// is said once.
    pub(super) async fn say_once(&self, event: Event) {
        let newest = self.events(event.app.as_ref(), Span::Last, 1).await.unwrap_or_default();
        if newest.last().is_none_or(|last| last.text != event.text) {
            self.say(event).await;
        }
    }

    /// Events of an app, or of all of Toehold; oldest first.
    pub async fn events(
        &self,
        app: Option<&AppName>,
        span: Span,
        limit: usize,
    ) -> Result<Vec<Event>, ControlError> {
        let key = app.map(|app| Key::events_of(Some(app)));
        let prefix = key.as_ref().map_or(Key::EVENTS, Key::as_str);
        let limit = limit.min(MOST);
        let entries = match span {
            Span::After(rev) => self.store().log(prefix, LogRange::After(Rev(rev)), limit).await?,
            Span::Last => {
                let mut newest =
                    self.store().log(prefix, LogRange::Before(Rev::MAX), limit).await?;
                newest.reverse();
                newest
            }
        };
        Ok(read_all(&entries))
    }
}

/// The events of log entries, each cause a revision.
fn read_all(entries: &[LogEntry]) -> Vec<Event> {
    let mut causes = Causes::default();
    // One that cannot be read was written by a newer Toehold: it hides none of the others.
    let mut events: Vec<Event> =
        entries.iter().filter_map(|entry| entry.event().ok().flatten()).collect();
    for event in &mut events {
        causes.name(event);
    }
    events
}

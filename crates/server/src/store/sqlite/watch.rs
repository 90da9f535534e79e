//! Watching: read what is there, wait for the last revision to grow, read on. Nothing is handed
//! from the writer to a watcher but that number, so a slow watcher holds up nobody and misses
//! nothing.

use std::collections::VecDeque;

use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use crate::store::sqlite::read::{self, Readers};
use crate::store::{LogEntry, LogRange, Rev, WatchError};

/// How many entries are read at a time.
const AT_ONCE: usize = 128;

struct Watching {
    readers: Readers,
    last: watch::Receiver<Rev>,
    prefix: String,
    /// Everything up to here was given or does not concern the prefix.
    after: Rev,
    ready: VecDeque<LogEntry>,
    look: bool,
    ended: bool,
}

/// What one look at the log showed.
enum Look {
    Entries { entries: Vec<LogEntry>, through: Rev },
    Compacted(Rev),
    Ahead(Rev),
}

pub(super) fn watch(
    readers: Readers,
    last: watch::Receiver<Rev>,
    prefix: &str,
    after: Rev,
) -> impl Stream<Item = Result<LogEntry, WatchError>> + Send + use<> {
    let watching = Watching {
        readers,
        last,
        prefix: prefix.to_owned(),
        after,
        ready: VecDeque::new(),
        look: true,
        ended: false,
    };
    stream::unfold(watching, async |mut watching| {
        let item = watching.next().await?;
        watching.ended = item.is_err();
        Some((item, watching))
    })
}

impl Watching {
    async fn next(&mut self) -> Option<Result<LogEntry, WatchError>> {
        if self.ended {
            return None;
        }
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(Ok(entry));
            }
            if !self.look && self.last.changed().await.is_err() {
                return None;
            }
            // Seen before it is read: what comes in between is a change again.
            self.last.mark_unchanged();
            if let Err(error) = self.look().await {
                return Some(Err(error));
            }
        }
    }

    async fn look(&mut self) -> Result<(), WatchError> {
        let (prefix, after) = (self.prefix.clone(), self.after);
        let look = self.readers.read(move |snapshot| {
            let compacted = read::compacted(snapshot, &prefix)?;
            let last = read::last(snapshot)?;
            if after < compacted {
                return Ok(Look::Compacted(compacted));
            }
            if after > last {
                return Ok(Look::Ahead(last));
            }
            let entries = read::log(snapshot, &prefix, LogRange::After(after), AT_ONCE)?;
            let through = match entries.last() {
                Some(entry) if entries.len() == AT_ONCE => entry.rev,
                _ => last,
            };
            Ok(Look::Entries { entries, through })
        });
        match look.await? {
            Look::Entries { entries, through } => {
                self.look = entries.len() == AT_ONCE;
                self.ready = entries.into();
                self.after = through;
                Ok(())
            }
            Look::Compacted(compacted) => Err(WatchError::Compacted { after, compacted }),
            Look::Ahead(last) => Err(WatchError::Ahead { after, last }),
        }
    }
}

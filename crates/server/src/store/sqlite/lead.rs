//! The lead on one machine: a lock within the process, and a document whose revision is the epoch.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::StreamExt;
use serde::Serialize;
use tokio::sync::{Mutex as Turn, watch};

use crate::store::sqlite::read::{self, Readers};
use crate::store::sqlite::watch::watch;
use crate::store::sqlite::writer::Writer;
use crate::store::{CommitError, Key, Lead, Rev, Txn, Write};

/// Whose turn it is, by name.
#[derive(Default)]
pub(super) struct Leads {
    turns: Mutex<BTreeMap<Key, Arc<Turn<()>>>>,
}

/// What the document of a lead says, for who looks in.
#[derive(Serialize)]
struct Holder {
    pid: u32,
}

impl Leads {
    pub(super) async fn take(
        &self,
        writer: &Writer,
        readers: &Readers,
        key: &Key,
    ) -> Result<Lead, CommitError> {
        let turn = self.turn(key).lock_owned().await;
        let write = Write::put(key.clone(), &Holder { pid: std::process::id() });
        let epoch = writer.commit(Txn::by("toehold").write(write)).await?.rev;
        let lost = Box::pin(lost(readers.clone(), writer.last(), key.clone(), epoch));
        Ok(Lead::new(key.clone(), epoch, lost, Box::new(turn)))
    }

    fn turn(&self, key: &Key) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(key.clone()).or_default().clone()
    }
}

/// Ends when the document is not the one that was written at `epoch`, or nobody can tell.
async fn lost(readers: Readers, last: watch::Receiver<Rev>, key: Key, epoch: Rev) {
    loop {
        let of_key = key.clone();
        let look = move |snapshot: &rusqlite::Connection| {
            Ok((read::rev(snapshot, &of_key)?, read::last(snapshot)?))
        };
        let Ok((rev, now)) = readers.read(look).await else { return };
        if rev != epoch {
            return;
        }
        // Ends with an entry, or with an error or the store's end: look again, or give up.
        let mut changes = Box::pin(watch(readers.clone(), last.clone(), key.as_str(), now));
        if changes.next().await.is_none() {
            return;
        }
    }
}

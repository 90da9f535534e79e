//! The embedded engine: one `SQLite` file, one writer thread, readers on connections of their own.
//!
//! The file is an ordinary one: an operator may look in with `sqlite3` while it is in use.

mod apply;
mod fault;
mod lead;
mod open;
mod read;
mod schema;
mod watch;
mod writer;

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::StreamExt;

use crate::store::sqlite::lead::Leads;
use crate::store::sqlite::read::Readers;
use crate::store::sqlite::writer::Writer;
use crate::store::{
    CommitError, Committed, Doc, Fault, Key, Lead, LogEntry, LogRange, OpenError, Rev, Store, Txn,
    Watch,
};

/// The store of one machine, in `store.db` of its folder.
pub struct SqliteStore {
    // Dropped first: it waits until all that was queued is on disk and the folder is free again.
    writer: Writer,
    readers: Readers,
    leads: Leads,
}

impl SqliteStore {
    /// The name of the file in its folder.
    pub const FILE: &str = open::FILE;

    /// Opens the store in `dir`, making both where they are not there yet. A file that is there is
    /// looked through first and never replaced.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let opened = open::open(dir)?;
        let readers = Readers::new(opened.path.clone());
        let writer = Writer::start(opened)?;
        Ok(Self { writer, readers, leads: Leads::default() })
    }
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Doc>, Fault>> {
        let key = key.clone();
        Box::pin(self.readers.read(move |snapshot| read::get(snapshot, &key)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(Vec<Doc>, Rev), Fault>> {
        let prefix = prefix.to_owned();
        Box::pin(self.readers.read(move |snapshot| read::list(snapshot, &prefix)))
    }

    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(self.writer.commit(txn))
    }

    fn watch(&self, prefix: &str, after: Rev) -> Watch {
        watch::watch(self.readers.clone(), self.writer.last(), prefix, after).boxed()
    }

    fn log<'a>(
        &'a self,
        prefix: &'a str,
        range: LogRange,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<LogEntry>, Fault>> {
        let prefix = prefix.to_owned();
        Box::pin(self.readers.read(move |snapshot| read::log(snapshot, &prefix, range, limit)))
    }

    fn lead<'a>(
        &'a self,
        key: &'a Key,
        _ttl: Duration,
    ) -> BoxFuture<'a, Result<Lead, CommitError>> {
        // No other process can have the folder open, so a lead ends with its holder and needs no
        // time to live.
        Box::pin(self.leads.take(&self.writer, &self.readers, key))
    }

    fn compact(&self, history: Rev, appended: Rev) -> BoxFuture<'_, Result<u64, CommitError>> {
        Box::pin(self.writer.compact(history, appended))
    }
}

//! What must not be lost: documents with revisions, and the log of everything that changed.
//!
//! One transaction changes documents and appends to the log together, or does neither. The log is
//! the audit and the source of every watch. Order is the revision's, never the clock's. The trait
//! is small enough that a replicated engine with the same model (a global revision, transactions
//! that compare revisions, watches from a past one) can serve it as it is.

mod error;
mod key;
mod lead;
mod log;
mod retention;
mod sqlite;
mod txn;
mod typed;

use std::time::Duration;

use futures_util::future::BoxFuture;

pub use error::{CommitError, Fault, OpenError, ReadError, WatchError};
pub use key::{Key, KeyError};
pub use lead::Lead;
pub use log::{LogEntry, LogRange, Op, Watch};
pub use retention::Retention;
pub use sqlite::SqliteStore;
pub use txn::{Committed, Doc, Rev, Txn, Write};

/// Where documents and the log are kept. Used as `Arc<dyn Store>`; `get_as` and `list_as` read
/// documents as the types they were written from.
///
/// A prefix is the beginning of keys, byte by byte: `build/shop/` (with its slash) is every build
/// of `shop`, and the empty one is everything.
pub trait Store: Send + Sync {
    /// The document at `key`, where there is one.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Doc>, Fault>>;

    /// The documents whose keys begin with `prefix`, in the order of their keys, and the revision
    /// at which they were all so: a watch after it misses nothing.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(Vec<Doc>, Rev), Fault>>;

    /// Does all of `txn`, on disk once this answers, or none of it.
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>>;

    /// Every entry of the log with a revision above `after` whose key begins with `prefix`, in
    /// order and without a gap, and then each new one as it is committed. Ends after an error, and
    /// when the store is closed.
    fn watch(&self, prefix: &str, after: Rev) -> Watch;

    /// At most `limit` entries of the log whose keys begin with `prefix`. What was compacted away
    /// is left out without a word: this is for looking, [`Store::watch`] for following.
    fn log<'a>(
        &'a self,
        prefix: &'a str,
        range: LogRange,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<LogEntry>, Fault>>;

    /// Waits until this process leads `key` (`lease/control`) and nobody else does. Dropping the
    /// answer gives the lead up; a process that is gone has given it up after `ttl` at the latest.
    fn lead<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Lead, CommitError>>;

    /// Forgets the past: of documents up to `history`, and of appended entries (the audit) up to
    /// `appended`. The documents themselves stay. A watch from before then is told
    /// [`WatchError::Compacted`]. Operation ids up to `history` are forgotten too. Says how many
    /// entries went.
    fn compact(&self, history: Rev, appended: Rev) -> BoxFuture<'_, Result<u64, CommitError>>;
}

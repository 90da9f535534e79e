//! What the tests of the store are made of.

use std::process::Command;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use tempfile::TempDir;
use toehold_core::model::{Event, EventKind, Subject};
use toehold_core::time::Timestamp;
use toehold_server::store::{
    CommitError, Committed, Doc, Key, LogEntry, Rev, SqliteStore, Store, Txn, Watch, Write,
};

/// A store in a folder of its own that goes with it.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dir: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { store: open(&dir), dir }
    }
}

pub(crate) fn open(dir: &TempDir) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(dir.path()).expect("the store opens"))
}

pub(crate) fn key(text: &str) -> Key {
    text.parse().expect(text)
}

pub(crate) fn put(at: &str, value: u64) -> Write {
    Write::put(key(at), &value)
}

pub(crate) fn note(text: &str) -> Write {
    Write::event(&Event {
        rev: 0,
        at: Timestamp::from_ms(1),
        app: None,
        kind: EventKind::Started,
        subject: Subject::Toehold,
        cause: None,
        actor: "test".into(),
        text: text.into(),
        facts: json!({}),
    })
}

pub(crate) fn txn(writes: impl IntoIterator<Item = Write>) -> Txn {
    Txn { writes: writes.into_iter().collect(), ..Txn::by("test") }
}

pub(crate) async fn done(store: &Arc<dyn Store>, txn: Txn) -> Committed {
    store.commit(txn).await.expect("the transaction is done")
}

pub(crate) async fn value(store: &Arc<dyn Store>, at: &str) -> Option<u64> {
    store.get_as::<u64>(&key(at)).await.expect("it can be read").map(|doc: Doc<u64>| doc.value)
}

pub(crate) async fn conflict(store: &Arc<dyn Store>, txn: Txn) -> Option<Doc> {
    match store.commit(txn).await {
        Err(CommitError::Conflict { found, .. }) => found,
        other => panic!("no conflict but {other:?}"),
    }
}

/// The next entry, whenever it comes.
pub(crate) async fn next(watch: &mut Watch) -> LogEntry {
    watch.next().await.expect("the watch goes on").expect("an entry")
}

/// Whether nothing is there to be read, now that everything before was answered.
pub(crate) fn is_quiet(watch: &mut Watch) -> bool {
    watch.next().now_or_never().is_none()
}

pub(crate) fn revs(entries: &[LogEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.rev.0).collect()
}

pub(crate) const START: Rev = Rev::NONE;

/// This test executable once more, to run one of its tests as a process that may be killed. The
/// test does its work where `TOEHOLD_TEST_DIR` names a folder, and nothing otherwise.
pub(crate) fn child(test: &str, dir: &TempDir) -> Command {
    let exe = std::env::current_exe().expect("the test has an executable");
    let mut command = Command::new(exe);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("TOEHOLD_TEST_DIR", dir.path());
    command
}

/// The folder this process is a child for.
pub(crate) fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os("TOEHOLD_TEST_DIR").map(Into::into)
}

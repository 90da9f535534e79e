//! What is so of this engine alone.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use futures_util::StreamExt;
use toehold_server::store::SqliteStore;

use crate::parts::{START, Stage, done, next, note, open, put, txn, value};

#[tokio::test]
async fn what_was_written_is_there_after_it_was_closed() {
    let Stage { store, dir } = Stage::new();
    let before = done(&store, txn([put("a", 1), note("said")]).op_id("op")).await;
    drop(store);
    let store = open(&dir);
    assert_eq!(value(&store, "a").await, Some(1));
    let again = done(&store, txn([put("a", 9), note("said")]).op_id("op")).await;
    assert_eq!(again, before, "operations are remembered");
    let mut watch = store.watch("", START);
    assert_eq!(next(&mut watch).await.rev, before.revs[0]);
}

#[tokio::test]
async fn closing_does_all_that_was_queued_and_ends_the_watches() {
    let Stage { store, dir } = Stage::new();
    let mut watch = store.watch("none/", START);
    let queued: Vec<_> = (0..100)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { done(&store, txn([put(&format!("q/{n}"), n)])).await })
        })
        .collect();
    for one in queued {
        one.await.expect("it is answered");
    }
    drop(store);
    assert!(watch.next().await.is_none());
    assert_eq!(open(&dir).list("q/").await.expect("list").0.len(), 100);
}

#[tokio::test]
async fn an_operator_may_look_in_while_it_runs() {
    let Stage { store, dir } = Stage::new();
    done(&store, txn([put("app/shop", 42), note("said")])).await;
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(dir.path().join(SqliteStore::FILE))
        .arg("SELECT key, doc.value, actor FROM event JOIN doc USING (key); SELECT count(*) FROM event")
        .output()
        .expect("these tests need the command sqlite3 (Debian: sqlite3)");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "app/shop|42|test\n2\n",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let Stage { store, dir } = Stage::new();
    done(&store, txn([put("a", 1)])).await;
    for entry in std::fs::read_dir(dir.path()).expect("a folder") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
}

//! The disk is full, and is not any more.

use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use toehold_server::store::{Doc, SqliteStore, Store, Write};

use crate::parts::{child, child_dir, done, key, put, txn, value};

/// The largest a file may get at first, in KiB: what a limit of the shell calls `-f` in blocks of
/// 512 bytes there. It stands for the end of the disk.
const ROOM_KIB: u64 = 512;

fn give_room(kib: Option<u64>) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize);
    let current = kib.map(|kib| kib * 1024).or(limit.maximum);
    let limit = rustix::process::Rlimit { current, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).expect("a lower limit");
}

/// The child: its files cannot grow over a limit, until they can.
#[test]
fn child_whose_disk_is_full_for_a_while() {
    let Some(dir) = child_dir() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir).expect("it opens"));
        done(&store, txn([put("first", 1)])).await;
        give_room(Some(ROOM_KIB));
        let large = "x".repeat(Doc::MAX_VALUE_BYTES - 2);
        let mut written = 0;
        let mut refused_in_a_row = 0;
        while refused_in_a_row < 5 {
            // A refusal may make a little room: what is in the log is moved into the file.
            let write = Write::put(key(&format!("large/{written}")), &large);
            match store.commit(txn([write])).await {
                Ok(_) => (written, refused_in_a_row) = (written + 1, 0),
                Err(refused) => {
                    assert!(refused.is_transient() && refused.to_string().contains("disk"));
                    refused_in_a_row += 1;
                }
            }
            assert!(written < 100, "there is no end of the disk");
        }
        assert_eq!(value(&store, "first").await, Some(1), "reading goes on");
        assert_eq!(store.list("large/").await.expect("list").0.len(), written);

        give_room(None);
        done(&store, txn([put("first", 2)])).await;
        assert_eq!(store.list("large/").await.expect("list").0.len(), written);
        std::fs::write(dir.join("held"), "").expect("there is room again");
    });
}

#[tokio::test]
async fn a_full_disk_refuses_writes_reads_on_and_recovers() {
    let dir: TempDir = tempfile::tempdir().expect("a temporary folder");
    let test = child("full::child_whose_disk_is_full_for_a_while", &dir);
    // A write over the limit is a signal first; ignored, it is an error like that of a full disk.
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#])
        .arg(test.get_program())
        .args(test.get_args())
        .env("TOEHOLD_TEST_DIR", dir.path())
        .output()
        .expect("the child runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && dir.path().join("held").exists(), "{said}\n{complained}");
    let store = crate::parts::open(&dir);
    assert_eq!(value(&store, "first").await, Some(2));
}

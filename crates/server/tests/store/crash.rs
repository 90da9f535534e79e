//! The process is killed, again and again, while it writes.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use toehold_server::store::{LogRange, Rev, SqliteStore, Store};

use crate::parts::{child, child_dir, done, note, open, put, txn, value};

/// How many tasks write at once: several of their transactions share an fsync.
const WRITERS: usize = 4;

/// The child: counts up in two documents and an event at once, and says each number only once it
/// is answered.
#[test]
fn child_that_counts_until_it_is_killed() {
    let Some(dir) = child_dir() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&dir).expect("it opens"));
        let writers: Vec<_> =
            (0..WRITERS).map(|who| tokio::spawn(count(store.clone(), who))).collect();
        for writer in writers {
            writer.await.expect("it counts until it is killed");
        }
    });
}

async fn count(store: Arc<dyn Store>, who: usize) {
    let (one, other) = (format!("one/{who}"), format!("other/{who}"));
    let begin = value(&store, &one).await.unwrap_or(0);
    for n in begin + 1.. {
        let committed =
            done(&store, txn([put(&one, n), put(&other, n), note(&format!("{who} {n}"))])).await;
        let mut out = std::io::stdout().lock();
        // Nobody listens any more once the parent has seen enough.
        let _ = writeln!(out, "done {who} {n} {}", committed.rev).and_then(|()| out.flush());
    }
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered_and_leaves_nothing_half_done() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut answered = [0; WRITERS];
    for round in 0..10 {
        let last_rev = count_and_kill(&dir, 100 + round * 37, &mut answered);
        check(&dir, &answered, last_rev).await;
    }
}

/// Lets the child count until it has said `lines` numbers, kills it, and takes in all it said.
fn count_and_kill(dir: &TempDir, lines: u64, answered: &mut [u64]) -> Rev {
    let mut counting = child("crash::child_that_counts_until_it_is_killed", dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut said = BufReader::new(counting.stdout.take().expect("it is piped")).lines();
    let mut last_rev = Rev::NONE;
    let mut heard = 0;
    while let Some(Ok(line)) = said.next() {
        let mut words = line.split(' ');
        if words.next() != Some("done") {
            continue;
        }
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        // The last line may be cut off: then it was answered all the same, but not said.
        let (Some(who), Some(n), Some(rev)) = (number(), number(), number()) else { continue };
        answered[usize::try_from(who).expect("a small number")] = n;
        last_rev = last_rev.max(Rev(rev));
        heard += 1;
        if heard == lines {
            kill(&mut counting);
        }
    }
    let status = counting.wait().expect("it has ended");
    assert_eq!(status.signal(), Some(9), "it was killed and did not end by itself");
    last_rev
}

fn kill(counting: &mut Child) {
    counting.kill().expect("it runs");
}

async fn check(dir: &TempDir, answered: &[u64], last_rev: Rev) {
    let store = open(dir);
    for (who, &n) in answered.iter().enumerate() {
        let one = value(&store, &format!("one/{who}")).await;
        let other = value(&store, &format!("other/{who}")).await;
        assert_eq!(one, other, "half a transaction");
        let found = one.expect("it counted");
        assert!(found >= n, "{n} was answered, and {found} is there");
        assert!(found <= n + 1, "only one was under way, and {found} is there after {n}");
    }
    let (_, rev) = store.list("").await.expect("list");
    assert!(rev >= last_rev);
    let log = store.log("", LogRange::After(Rev::NONE), usize::MAX).await.expect("log");
    let whole: Vec<u64> = (1..=rev.0).collect();
    assert_eq!(crate::parts::revs(&log), whole, "the log has no gap");
    assert_eq!(log.len() % 3, 0, "the log has no part of a transaction");
}

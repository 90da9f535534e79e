//! What every engine must do. The suite asks only for a way to make an empty store, so that another
//! engine runs it as it is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use toehold_server::store::{
    CommitError, Doc, Key, LogRange, Op, Retention, Rev, Store, Txn, WatchError, Write,
};

use crate::parts::{
    START, Stage, conflict, done, is_quiet, key, next, note, put, revs, txn, value,
};

#[tokio::test]
async fn what_is_put_is_there_and_what_is_deleted_is_not() {
    let Stage { store, dir: _dir } = Stage::new();
    assert_eq!(value(&store, "a").await, None);
    let first = done(&store, txn([put("a", 1)])).await;
    let second = done(&store, txn([put("a", 2)])).await;
    assert!(first.rev < second.rev);
    let doc = store.get(&key("a")).await.expect("read").expect("there");
    assert_eq!((doc.rev, doc.value.as_str()), (second.rev, "2"));
    done(&store, txn([Write::delete(key("a"))])).await;
    assert_eq!(value(&store, "a").await, None);
}

#[tokio::test]
async fn a_list_is_what_the_prefix_says_in_the_order_of_keys() {
    let Stage { store, dir: _dir } = Stage::new();
    let at = ["build/shop/10", "build/shop/9", "build/shopping/1", "build/shop", "app/shop"];
    let last = done(&store, txn(at.map(|at| put(at, 7)))).await;
    let keys = async |prefix: &str| {
        let (docs, rev) = store.list(prefix).await.expect("list");
        assert_eq!(rev, last.rev);
        docs.into_iter().map(|doc| doc.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys("build/shop/").await, ["build/shop/10", "build/shop/9"]);
    assert_eq!(keys("").await.len(), 5);
    assert!(keys("nothing/").await.is_empty());
}

#[tokio::test]
async fn all_of_a_transaction_is_done_or_none_of_it() {
    let Stage { store, dir: _dir } = Stage::new();
    let first = done(&store, txn([put("a", 1), put("b", 1)])).await;
    let stale = txn([put("a", 2), put("c", 2), note("never")])
        .expect(key("a"), first.revs[0])
        .expect(key("b"), Rev(first.rev.0 + 7));
    let found = conflict(&store, stale).await.expect("b is there");
    assert_eq!((found.key, found.rev), (key("b"), first.revs[1]));
    assert_eq!((value(&store, "a").await, value(&store, "c").await), (Some(1), None));
    let log = store.log("", LogRange::After(START), 10).await.expect("log");
    assert_eq!(log.len(), 2, "a transaction that was refused leaves nothing in the log");
}

#[tokio::test]
async fn a_document_that_must_not_exist_is_made_once() {
    let Stage { store, dir: _dir } = Stage::new();
    let make = || txn([put("a", 1)]).expect(key("a"), Rev::NONE);
    done(&store, make()).await;
    assert!(conflict(&store, make()).await.is_some());
    let gone = txn([put("b", 1)]).expect(key("b"), Rev(1));
    assert_eq!(conflict(&store, gone).await, None);
}

#[tokio::test]
async fn each_write_has_its_revision_and_the_log_tells_them_all() {
    let Stage { store, dir: _dir } = Stage::new();
    done(&store, txn([put("a", 1)])).await;
    let changed =
        txn([put("b", 2), note("said"), Write::delete(key("a")), Write::delete(key("x"))]);
    let committed = done(&store, changed).await;
    assert_eq!(committed.revs.len(), 4);
    assert_eq!(committed.revs[3], Rev::NONE, "nothing was there to delete");
    assert_eq!(committed.rev, committed.revs[2]);

    let log = store.log("", LogRange::After(START), 10).await.expect("log");
    let told: Vec<_> = log.iter().map(|entry| (entry.op, entry.key.as_str())).collect();
    assert_eq!(
        told,
        [(Op::Put, "a"), (Op::Put, "b"), (Op::Append, "event/_/all"), (Op::Delete, "a")]
    );
    let event = log[2].event().expect("readable").expect("an event");
    assert_eq!((event.text.as_str(), event.rev), ("said", committed.revs[1].0));
    assert_eq!((log[3].value.as_deref(), log[3].actor.as_str()), (None, "test"));
}

#[tokio::test]
async fn the_log_is_read_from_both_ends() {
    let Stage { store, dir: _dir } = Stage::new();
    for n in 0..5 {
        done(&store, txn([note("e"), put("a", n)])).await;
    }
    let log = async |range, limit| revs(&store.log("event/", range, limit).await.expect("log"));
    assert_eq!(log(LogRange::After(START), 2).await, [1, 3]);
    assert_eq!(log(LogRange::After(Rev(3)), 9).await, [5, 7, 9]);
    assert_eq!(log(LogRange::Before(Rev::MAX), 2).await, [9, 7]);
    assert_eq!(log(LogRange::Before(Rev(7)), 9).await, [5, 3, 1]);
}

#[tokio::test]
async fn the_same_operation_twice_is_done_once_and_answered_alike() {
    let Stage { store, dir: _dir } = Stage::new();
    let operation = || txn([put("a", 1), note("once")]).expect(key("a"), Rev::NONE).op_id("op-1");
    let first = done(&store, operation()).await;
    done(&store, txn([put("a", 5)])).await;
    assert_eq!(done(&store, operation()).await, first);
    assert_eq!(value(&store, "a").await, Some(5));
    assert_eq!(store.log("event/", LogRange::After(START), 9).await.expect("log").len(), 1);

    let refused = txn([put("a", 6)]).expect(key("a"), Rev::NONE).op_id("op-2");
    assert!(conflict(&store, refused).await.is_some());
    let now = txn([put("a", 6)]).op_id("op-2");
    done(&store, now).await;
    assert_eq!(value(&store, "a").await, Some(6), "a refused operation is not remembered");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let Stage { store, dir: _dir } = Stage::new();
    let large = Write::put(key("a"), &"x".repeat(Doc::MAX_VALUE_BYTES));
    let refused = store.commit(txn([put("b", 1), large])).await;
    assert!(matches!(refused, Err(CommitError::TooLarge { .. })), "{refused:?}");
    let not_json = Write::Put { key: key("a"), value: "{".into() };
    let elsewhere = Write::Append { key: key("a"), value: "1".into() };
    for nonsense in [
        vec![put("a", 1), put("a", 2)],
        vec![put("event/shop", 1)],
        vec![Write::delete(key("event/shop"))],
        vec![elsewhere],
        vec![put("b", 1), not_json],
    ] {
        let refused = store.commit(txn(nonsense)).await;
        assert!(matches!(refused, Err(CommitError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(store.list("").await.expect("list"), (Vec::new(), Rev::NONE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_that_many_count_lose_nothing() {
    let Stage { store, dir: _dir } = Stage::new();
    let count = async |store: Arc<dyn Store>| {
        for _ in 0..25 {
            loop {
                let found = store.get_as::<u64>(&key("n")).await.expect("read");
                let (n, rev) = found.map_or((0, Rev::NONE), |doc| (doc.value, doc.rev));
                match store.commit(txn([put("n", n + 1)]).expect(key("n"), rev)).await {
                    Ok(_) => break,
                    Err(CommitError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    let counting: Vec<_> = (0..8).map(|_| tokio::spawn(count(store.clone()))).collect();
    for counter in counting {
        counter.await.expect("it counts to its end");
    }
    assert_eq!(value(&store, "n").await, Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_sees_everything_once_and_in_order_while_many_write() {
    let Stage { store, dir: _dir } = Stage::new();
    let mut from_start = store.watch("w/", START);
    let writer = async |store: Arc<dyn Store>, who: u64| {
        for n in 0..100 {
            done(&store, txn([put(&format!("w/{who}"), n), put(&format!("other/{who}"), n)])).await;
        }
    };
    let writers: Vec<_> = (0..4).map(|who| tokio::spawn(writer(store.clone(), who))).collect();

    let mut seen = Vec::new();
    let mut joined_late = None;
    for _ in 0..400 {
        seen.push(next(&mut from_start).await);
        if seen.len() == 150 {
            joined_late = Some(store.watch("w/", seen[99].rev));
        }
    }
    for writer in writers {
        writer.await.expect("it writes to its end");
    }
    assert!(seen.is_sorted_by(|a, b| a.rev < b.rev), "in order, and nothing twice");
    for who in 0..4 {
        let of = |entry: &&toehold_server::store::LogEntry| entry.key == key(&format!("w/{who}"));
        let values: Vec<u64> =
            seen.iter().filter(of).map(|entry| entry.read().expect("a number")).collect();
        assert_eq!(values, (0..100).collect::<Vec<_>>());
    }
    let mut joined_late = joined_late.expect("it joined");
    for expected in &seen[100..] {
        assert_eq!(next(&mut joined_late).await, *expected);
    }
    assert!(is_quiet(&mut joined_late) && is_quiet(&mut from_start));
}

#[tokio::test]
async fn listing_and_then_watching_misses_nothing() {
    let Stage { store, dir: _dir } = Stage::new();
    done(&store, txn([put("a", 1)])).await;
    let (_, listed) = store.list("a").await.expect("list");
    let second = done(&store, txn([put("a", 2)])).await;
    let mut watch = store.watch("a", listed);
    assert_eq!(next(&mut watch).await.rev, second.rev);
    assert!(is_quiet(&mut watch));
    let third = done(&store, txn([Write::delete(key("a"))])).await;
    let entry = next(&mut watch).await;
    assert_eq!((entry.rev, entry.op), (third.rev, Op::Delete));
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_is_told_so() {
    let Stage { store, dir: _dir } = Stage::new();
    for n in 0..10 {
        done(&store, txn([put("a", n), note("kept")])).await;
    }
    let gone = store.compact(Rev(12), Rev(4)).await.expect("compacts");
    assert_eq!(gone, 6 + 2, "six puts of a, and two events");
    assert_eq!(value(&store, "a").await, Some(9), "documents stay");

    let compacted = async |prefix: &str, after| {
        matches!(
            store.watch(prefix, Rev(after)).next().await,
            Some(Err(WatchError::Compacted { .. }))
        )
    };
    assert!(compacted("a", 11).await && !compacted("a", 12).await);
    assert!(compacted("event/", 3).await && !compacted("event/", 4).await);
    let kept = store.log("event/", LogRange::After(START), 99).await.expect("log");
    assert_eq!(kept.len(), 8, "the audit is kept longer than the history");
    let next = done(&store, txn([put("a", 10)])).await;
    assert_eq!(next.rev, Rev(21), "revisions go on");
}

#[tokio::test]
async fn a_watch_that_is_ahead_of_the_store_is_told_so() {
    let Stage { store, dir: _dir } = Stage::new();
    done(&store, txn([put("a", 1)])).await;
    let told = store.watch("", Rev(99)).next().await;
    assert!(matches!(told, Some(Err(WatchError::Ahead { .. }))), "{told:?}");
}

#[tokio::test]
async fn a_slow_watch_of_something_else_does_not_fall_behind_a_compaction() {
    let Stage { store, dir: _dir } = Stage::new();
    let mut watch = store.watch("quiet", START);
    for n in 0..10 {
        done(&store, txn([put("busy", n)])).await;
        assert!(futures_util::FutureExt::now_or_never(watch.next()).is_none());
    }
    let (_, rev) = store.list("").await.expect("list");
    store.compact(Rev(5), Rev(5)).await.expect("compacts");
    let quiet = done(&store, txn([put("quiet", 1)])).await;
    // It has looked at some of what was forgotten, or at none of it: then it is told.
    match watch.next().await {
        Some(Ok(entry)) => assert_eq!(entry.rev, quiet.rev),
        Some(Err(WatchError::Compacted { after, .. })) => assert!(after < Rev(5) && rev >= after),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_one_leads_and_each_lead_has_a_larger_epoch() {
    let Stage { store, dir: _dir } = Stage::new();
    let lease: Key = key("lease/control");
    let ttl = Duration::from_secs(5);
    let first = store.lead(&lease, ttl).await.expect("leads");
    let mut second = Box::pin(store.lead(&lease, ttl));
    assert!(futures_util::poll!(&mut second).is_pending(), "somebody leads");
    let elsewhere = store.lead(&key("lease/other"), ttl).await.expect("leads");
    assert!(elsewhere.epoch() > first.epoch());

    let fenced = |lead: &toehold_server::store::Lead| {
        let (at, rev) = lead.fence();
        txn([put("a", 1)]).expect(at, rev)
    };
    done(&store, fenced(&first)).await;
    let (old_epoch, old_txn) = (first.epoch(), fenced(&first));
    drop(first);
    let second = second.await.expect("leads");
    assert!(second.epoch() > old_epoch);
    conflict(&store, old_txn).await;
    done(&store, fenced(&second)).await;
}

#[tokio::test]
async fn a_lead_is_lost_when_its_document_is_not_its_own_any_more() {
    let Stage { store, dir: _dir } = Stage::new();
    let lease = key("lease/control");
    let lead = store.lead(&lease, Duration::from_secs(5)).await.expect("leads");
    let mut lost = Box::pin(lead.lost());
    assert!(futures_util::poll!(&mut lost).is_pending());
    done(&store, txn([put("a", 1)])).await;
    assert!(futures_util::poll!(&mut lost).is_pending());
    done(&store, Txn::by("somebody else").write(Write::delete(lease))).await;
    lost.await;
}

#[tokio::test]
async fn the_past_is_kept_as_long_as_was_asked() {
    let Stage { store, dir: _dir } = Stage::new();
    for n in 0..20 {
        done(&store, txn([put("a", n), note("said")])).await;
    }
    let now = store.log("", LogRange::Before(Rev::MAX), 1).await.expect("log")[0].at;
    let day = Duration::from_hours(24);
    let retention = Retention { history: 10, audit: day };
    assert_eq!(retention.apply(&*store, now).await.expect("applied"), 15, "puts up to 30");
    assert_eq!(retention.apply(&*store, now).await.expect("applied"), 0);

    let later = now.plus(day * 2);
    assert_eq!(retention.apply(&*store, later).await.expect("applied"), 20, "the audit too");
    assert_eq!(value(&store, "a").await, Some(19));
}

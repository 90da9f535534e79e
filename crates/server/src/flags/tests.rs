use std::time::Duration;

use tempfile::TempDir;
use toehold_core::model::{EventKind, Subject};
use toehold_core::time::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::SetClock;
use crate::store::{LogRange, SqliteStore, Txn, Write};

struct Stage {
    _folder: TempDir,
    store: Arc<dyn Store>,
    flags: Arc<Flags>,
}

async fn stage() -> Stage {
    let folder = TempDir::new().expect("a folder can be made");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).expect("it opens"));
    let flags = open(&store).await;
    Stage { _folder: folder, store, flags }
}

/// The flags as another process over the same store has them.
async fn open(store: &Arc<dyn Store>) -> Arc<Flags> {
    let clock = Arc::new(SetClock::at(Timestamp::from_ms(5000)));
    Arc::new(Flags::open(Arc::clone(store), clock).await.expect("it can be read"))
}

fn app() -> AppName {
    "shop".parse().expect("it is a name")
}

fn key(text: &str) -> FlagKey {
    text.parse().expect("it is a key")
}

fn declared(flags: &[(&str, bool)]) -> BTreeMap<String, bool> {
    flags.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
}

#[tokio::test]
async fn a_declared_flag_is_toggled_and_stays_so() {
    let stage = stage().await;
    let flags = &stage.flags;
    let wish = declared(&[("feature1", true)]);
    assert_eq!(flags.declare(&app(), &wish, "toehold").await.expect("it is written"), 1);
    let changed = flags.toggle(&app(), &key("feature1"), "ada").await.expect("it is there");
    assert!(!changed.flag.value);
    assert_eq!(flags.declare(&app(), &wish, "toehold").await.expect("nothing to do"), 0);
    assert_eq!(flags.get(&app(), &key("feature1")), Some(changed.flag));
    let later = open(&stage.store).await;
    assert_eq!(later.of(&app()), flags.of(&app()));
    assert!(!later.of(&app()).flags[&key("feature1")].value);
}

#[tokio::test]
async fn a_change_stands_in_the_audit() {
    let stage = stage().await;
    let changed = stage.flags.set(&app(), &key("x"), true, "ada").await.expect("it is written");
    let rev = changed.event.expect("it changed");
    let entries = stage.store.log("event/", LogRange::After(Rev::NONE), 10).await;
    let entries = entries.expect("it can be read");
    let event = entries[0].event().expect("it can be read").expect("it is an event");
    assert_eq!((event.rev, event.kind), (rev.0, EventKind::FlagChanged));
    assert_eq!((event.actor.as_str(), event.subject), ("ada", Subject::Flag("x".into())));
    assert_eq!(event.at, Timestamp::from_ms(5000));
    let again = stage.flags.set(&app(), &key("x"), true, "bob").await.expect("it is so");
    assert_eq!((again.event, again.flag.changed_by.as_str()), (None, "ada"));
}

#[tokio::test]
async fn an_unknown_flag_is_not_toggled() {
    let stage = stage().await;
    let error = stage.flags.toggle(&app(), &key("x"), "ada").await.expect_err("it is not there");
    assert_eq!(error.to_string(), "shop has no flag x");
    assert!(!error.is_transient());
    let wish = declared(&[("not a key", true)]);
    let error = stage.flags.declare(&app(), &wish, "toehold").await.expect_err("it cannot be");
    assert!(matches!(error, FlagsError::Key { .. }));
}

#[tokio::test]
async fn toggles_from_everywhere_at_once_are_all_counted() {
    let stage = stage().await;
    let others = [open(&stage.store).await, open(&stage.store).await];
    stage.flags.set(&app(), &key("x"), true, "ada").await.expect("it is written");
    let all: Vec<_> = (0..30)
        .map(|nth| {
            let flags = [&stage.flags, &others[0], &others[1]][nth % 3];
            let flags = Arc::clone(flags);
            tokio::spawn(async move { flags.toggle(&app(), &key("x"), "many").await })
        })
        .collect();
    for one in all {
        one.await.expect("it does not panic").expect("it is written");
    }
    let flags = open(&stage.store).await;
    let flag = flags.get(&app(), &key("x")).expect("it is there");
    assert_eq!((flag.value, flag.version), (true, 31));
}

#[tokio::test]
async fn who_watches_is_told_of_what_others_change() {
    let stage = stage().await;
    let other = open(&stage.store).await;
    let stop = CancellationToken::new();
    let following = tokio::spawn({
        let (other, stop) = (Arc::clone(&other), stop.clone());
        async move { other.follow(stop).await }
    });
    let mut watch = other.watch(&app());
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(20), watch.next()).await.expect("it is told")
    };
    assert!(next().await.expect("there is one now").flags.is_empty());
    stage.flags.set(&app(), &key("x"), true, "ada").await.expect("it is written");
    assert!(next().await.expect("it changed").flags[&key("x")].value);
    stage.flags.toggle(&app(), &key("x"), "ada").await.expect("it is written");
    assert!(!next().await.expect("it changed").flags[&key("x")].value);
    // Another app's flags are nobody's business here, and one that is gone has none.
    let bakery = "bakery".parse().expect("it is a name");
    stage.flags.set(&bakery, &key("x"), true, "ada").await.expect("it is written");
    let place = Flags::key_of(&app()).expect("it is a key");
    let gone = Txn::by("ada").write(Write::delete(place));
    stage.store.commit(gone).await.expect("it is written");
    assert!(next().await.expect("it changed").flags.is_empty());
    stop.cancel();
    following.await.expect("it ends");
}

#[tokio::test]
async fn what_is_older_than_what_is_known_is_passed_over() {
    let stage = stage().await;
    stage.flags.set(&app(), &key("x"), true, "ada").await.expect("it is written");
    stage.flags.see(app(), Rev(0), FlagSet::default());
    assert_eq!(stage.flags.of(&app()).flags.len(), 1);
}

#[tokio::test]
async fn more_flags_than_can_be_kept_are_refused() {
    let stage = stage().await;
    let many: BTreeMap<String, bool> = (0..1000).map(|n| (format!("flag-{n}"), true)).collect();
    let error = stage.flags.declare(&app(), &many, "toehold").await.expect_err("too many");
    assert!(matches!(error, FlagsError::TooMany { .. }), "{error}");
    assert!(stage.flags.of(&app()).flags.is_empty());
    let some: BTreeMap<String, bool> = (0..350).map(|n| (format!("flag-{n}"), true)).collect();
    assert_eq!(stage.flags.declare(&app(), &some, "toehold").await.expect("they fit"), 350);
}

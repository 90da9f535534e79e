//! What the tests of letters are made of.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use toehold_core::model::{Event, EventKind, Number, Subject};
use toehold_core::offer::Offer;
use toehold_core::time::Timestamp;
use toehold_server::clock::{Clock, SetClock};
use toehold_server::notify::{Channel, Letter, Notifier, Settings, outbox_write};
use toehold_server::secret::Keys;
use toehold_server::store::{Doc, Rev, SqliteStore, Store, Txn, Watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A store, a clock that stands still, and a notifier at work.
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) dir: TempDir,
    pub(crate) keys: Keys,
    events: Watch,
    running: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path()).expect("it opens"));
        let clock = Arc::new(SetClock::at(Timestamp::from_ms(1_800_000_000_000)));
        let events = store.watch("event/", Rev::NONE);
        let keys = Keys::open(dir.path()).expect("keys can be made");
        Self { store, clock, dir, keys, events, running: None }
    }

    /// Sets a notifier to work.
    pub(crate) fn run(&mut self, settings: &Settings) {
        let notifier = Notifier::new(self.store.clone(), self.clock.clone(), settings, &self.keys);
        let notifier = notifier.expect("the settings can be used");
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(notifier.run(shutdown.clone()));
        self.running = Some((running, shutdown));
    }

    /// Ends the notifier.
    pub(crate) async fn stop(&mut self) {
        let (running, shutdown) = self.running.take().expect("it runs");
        shutdown.cancel();
        soon("the notifier ends", running).await.expect("without a panic");
    }

    /// Ends the notifier wherever it is, as a kill does.
    pub(crate) async fn kill(&mut self) {
        let (running, _) = self.running.take().expect("it runs");
        running.abort();
        let ended = soon("the notifier is gone", running).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it ended by itself");
    }

    /// Waits until it is written down that the letter that waits has reached somebody.
    pub(crate) async fn until_reached(&self, name: &str) {
        let mut changes = self.store.watch("outbox/", Rev::NONE);
        let reached = async {
            loop {
                let entry = changes.next().await.expect("it goes on").expect("an entry");
                let waiting: Value = entry.read().expect("JSON");
                let names = waiting["reached"].as_array().cloned().unwrap_or_default();
                if names.iter().any(|it| it == name) {
                    return;
                }
            }
        };
        soon("it is written down whom it has reached", reached).await;
    }

    /// Writes a letter together with the event it tells of.
    pub(crate) async fn tell(&self, headline: &str, channels: &[Channel]) {
        let test = Letter::test("anna", self.clock.now());
        self.write(&Letter { headline: headline.into(), ..test }, channels).await;
    }

    /// Writes a letter about an alert of `shop`, that offers to go back.
    pub(crate) async fn warn(&self, headline: &str, channels: &[Channel]) {
        let letter = Letter {
            kind: EventKind::AlertRaised,
            app: Some("shop".parse().expect("a name")),
            about: Subject::Alert(3),
            headline: headline.into(),
            offers: vec![Offer::RollBack { from: Number(43), to: Number(42) }],
            ..Letter::test("anna", self.clock.now())
        };
        self.write(&letter, channels).await;
    }

    async fn write(&self, letter: &Letter, channels: &[Channel]) {
        let txn = Txn { writes: outbox_write(letter, channels), ..Txn::by("test") };
        self.store.commit(txn).await.expect("it is written");
    }

    /// The next event, whenever it comes.
    pub(crate) async fn event(&mut self) -> Event {
        let entry = soon("an event", self.events.next()).await.expect("the watch goes on");
        entry.expect("an entry").event().expect("readable").expect("an event")
    }

    /// The letters that wait, as JSON.
    pub(crate) async fn waiting(&self) -> Vec<Value> {
        let (docs, _) = self.store.list_as("outbox/").await.expect("list");
        docs.into_iter().map(|doc: Doc<Value>| doc.value).collect()
    }

    /// Waits until letters were tried `times` times in vain; the answer is the last of them.
    pub(crate) async fn tried(&self, times: usize) -> Value {
        let mut changes = self.store.watch("outbox/", Rev::NONE);
        let tried = async {
            let mut tries = 0;
            loop {
                let entry = changes.next().await.expect("it goes on").expect("an entry");
                let waiting: Value = entry.read().expect("JSON");
                tries += usize::from(waiting["attempts"].as_u64() > Some(0));
                if tries == times {
                    return waiting;
                }
            }
        };
        soon("the letter is tried", tried).await
    }
}

/// Whether the event says that a letter of [`Stage::tell`] was delivered.
pub(crate) fn is_sent(event: &Event) -> bool {
    event.kind == EventKind::MessageSent
        && event.subject == Subject::Toehold
        && event.facts["letter"] == json!(EventKind::MessageSent)
}

/// What `it` becomes; a test that waits in vain says for what.
pub(crate) async fn soon<T>(what: &str, it: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_secs(30), it).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

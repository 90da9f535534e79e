//! A store, a clock that stands still, and a lane that sends what lies in the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use toehold_core::model::{CommitId, Event, Number};
use toehold_core::time::Timestamp;
use toehold_server::clock::{Clock, SetClock};
use toehold_server::forge::{
    About, App, Client, Context, Credentials, Lane, Place, Report, State, Status, report_write,
};
use toehold_server::store::{Key, LogRange, Rev, SqliteStore, Store, Txn};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::github::TOKEN;

pub(crate) struct Stage {
    folder: TempDir,
    store: Arc<dyn Store>,
    pub(crate) clock: Arc<SetClock>,
    place: Place,
    app: Option<App>,
}

/// A lane at work; it ends with this.
pub(crate) struct Running {
    _ends: DropGuard,
    _task: JoinHandle<()>,
}

impl Stage {
    pub(crate) fn new(forge: &str, api_url: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let store = SqliteStore::open(&folder.path().join("store")).expect("it can be opened");
        std::fs::write(folder.path().join("token"), TOKEN).expect("it can be written");
        let place = Place::of(forge, "file:///srv/shop.git", Some(api_url), "acme/shop");
        Self {
            store: Arc::new(store),
            clock: Arc::new(SetClock::at(Timestamp::from_ms(1_800_000_000_000))),
            place: place.expect("it is said where it is"),
            app: None,
            folder,
        }
    }

    pub(crate) fn with_app(mut self, key_file: PathBuf) -> Self {
        self.app = Some(App { id: 42, installation: 7, key_file });
        self
    }

    /// The file holds this token from now on.
    pub(crate) fn has_token(&self, token: &str) {
        std::fs::write(self.folder.path().join("token"), token).expect("it can be written");
    }

    pub(crate) fn run(&self) -> Running {
        let token_file = Some(self.folder.path().join("token"));
        let credentials = Credentials { token_file, app: self.app.clone() };
        let client = Client::new(self.place.clone(), credentials).expect("the address is good");
        let clock: Arc<dyn Clock> = self.clock.clone();
        let shop = "shop".parse().expect("a name");
        let lane = Lane::new(Arc::clone(&self.store), clock, client, (shop, "forge"));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(lane.run(shutdown.clone()));
        Running { _ends: shutdown.drop_guard(), _task: task }
    }

    /// Writes a report of a build.
    pub(crate) async fn write(&self, number: u64, report: Report) {
        let shop = "shop".parse().expect("a name");
        let about = (Number(number), &commit(number));
        let link = Some(format!("https://toehold.example.com/apps/shop/builds/{number}"));
        let whose = About { app: &shop, forge: "forge", has_several: false };
        let write = report_write(whose, about, report, link, self.clock.now());
        self.store.commit(Txn::by("test").write(write)).await.expect("it is taken");
    }

    /// Writes the status of a build's tests.
    pub(crate) async fn tests_are(&self, number: u64, state: State) {
        let text = "it is so. ".repeat(30);
        let status = Status { context: Context::Test, state, text };
        self.write(number, Report::Status(status)).await;
    }

    pub(crate) async fn waiting(&self) -> usize {
        self.store.list("report/").await.expect("it can be read").0.len()
    }

    /// Waits until nothing waits any more.
    pub(crate) async fn until_told(&self) {
        let told = async {
            while self.waiting().await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), told).await.expect("all is told in time");
    }

    /// What was said of reports that are not taken.
    pub(crate) async fn failures(&self) -> Vec<Event> {
        let log = self.store.log(Key::EVENTS, LogRange::After(Rev::NONE), 100).await;
        let log = log.expect("it can be read");
        log.iter().filter_map(|entry| entry.event().ok().flatten()).collect()
    }
}

pub(crate) fn commit(number: u64) -> CommitId {
    format!("{number:040x}").parse().expect("it is a commit")
}

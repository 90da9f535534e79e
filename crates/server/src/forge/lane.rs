//! What waits for one repository, sent in order; all of it waits while the forge is away or asks to
//! be left alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hyper::Method;
use serde_json::json;
use toehold_core::model::{AppName, Event, EventKind, Subject};
use toehold_core::time::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::forge::answer::Unsent;
use crate::forge::client::By;
use crate::forge::report::{Waiting, prefix};
use crate::forge::{Api, Client, Report, dialect, github};
use crate::store::{CommitError, Doc, Fault, Key, LogEntry, Op, Store, Txn, Write};

/// The waits after a forge was found away; the last one is for all that follow.
const WAITS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// The waits after a forge had enough and did not say for how long: it asks for a minute at least,
/// and for more where that does not do.
const ENOUGH: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// How long a report is tried at all: after that nobody looks at the commit any more.
const TRIED_FOR: Duration = Duration::from_hours(24);

/// The wait before the store is asked again.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// One repository's reports.
pub struct Lane {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    client: Client,
    app: AppName,
    forge: String,
    /// Nothing is sent before this.
    free_at: Timestamp,
    /// How often in a row the forge was found away.
    away: usize,
    /// How often in a row it had enough and did not say for how long.
    enough: usize,
    /// What was said last of what it will not take: it is said once.
    said: Option<String>,
}

impl Lane {
    /// The lane of an app at a forge, by the word for it.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        client: Client,
        (app, forge): (AppName, &str),
    ) -> Self {
        let free_at = Timestamp::default();
        let forge = forge.to_owned();
        Self { store, clock, client, app, forge, free_at, away: 0, enough: 0, said: None }
    }

    /// Sends what waits, and what comes, until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let worked = tokio::select! {
                worked = self.work() => worked,
                () = shutdown.cancelled() => return,
            };
            if let Err(fault) = worked {
                warn!(app.name = %self.app, forge = self.forge, error = %fault, "reports to a forge wait: the store does not answer");
                tokio::select! {
                    () = tokio::time::sleep(STORE_AGAIN) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }

    /// Ends when what waits is to be read anew.
    async fn work(&mut self) -> Result<(), Fault> {
        let prefix = prefix(&self.app, &self.forge);
        let (docs, rev) = self.store.list(&prefix).await?;
        let mut changes = self.store.watch(&prefix, rev);
        let mut waiting = BTreeMap::new();
        for doc in docs {
            take_in(&mut waiting, doc);
        }
        loop {
            let (is_empty, free_at) = (waiting.is_empty(), self.free_at);
            let clock = Arc::clone(&self.clock);
            let free = async {
                if is_empty {
                    std::future::pending::<()>().await;
                }
                clock.wait_until(free_at).await;
            };
            tokio::select! {
                biased;
                change = changes.next() => match change {
                    Some(Ok(entry)) => follow(&mut waiting, entry),
                    Some(Err(_)) | None => return Ok(()),
                },
                () = free => {
                    let Some((key, doc)) = waiting.pop_first() else { continue };
                    if let Some(doc) = self.try_one(doc).await? {
                        waiting.insert(key, doc);
                    }
                }
            }
        }
    }

    /// Tries to send a report; gives it back where it is to be tried again.
    async fn try_one(&mut self, doc: Doc<Waiting>) -> Result<Option<Doc<Waiting>>, Fault> {
        let sent = self.send(&doc.value).await;
        let now = self.clock.now();
        let is_old = now.since(doc.value.created_at) >= TRIED_FOR;
        let (why, wait) = match sent {
            Ok(()) => {
                info!(app.name = %self.app, forge = self.forge, report = %doc.key, "a forge was told");
                (self.away, self.enough, self.said) = (0, 0, None);
                self.end(&doc, None).await?;
                return Ok(None);
            }
            Err(Unsent::Never(why)) => {
                (self.away, self.enough) = (0, 0);
                self.give_up(&doc, &why).await?;
                return Ok(None);
            }
            Err(Unsent::Away(why)) => (why, self.away()),
            // A token that is replaced counts at once; until then each report would fare alike.
            Err(Unsent::Unknown(why)) => {
                if !is_old {
                    self.ask_for_help(&doc, &why).await?;
                }
                (why, self.away())
            }
            Err(Unsent::Busy(Some(wait), why)) => (why, wait),
            Err(Unsent::Busy(None, why)) => {
                let wait = ENOUGH[self.enough.min(ENOUGH.len() - 1)];
                self.enough += 1;
                (why, wait)
            }
        };
        self.free_at = now.plus(wait);
        if is_old {
            self.give_up(&doc, &why).await?;
            return Ok(None);
        }
        warn!(app.name = %self.app, forge = self.forge, error = why, wait_s = wait.as_secs(), "a forge could not be told and is told later");
        Ok(Some(doc))
    }

    async fn send(&self, waiting: &Waiting) -> Result<(), Unsent> {
        let (client, now) = (&self.client, self.clock.now());
        match &waiting.report {
            Report::Status(status) => {
                let (path, body) = dialect::status(&client.place, waiting, status);
                let call = client.call((Method::POST, &path), Some(&body), (By::Either, now)).await;
                match call {
                    // GitLab's way to say that this is so already.
                    Err(Unsent::Never(why)) if why.contains("Cannot transition status") => Ok(()),
                    called => called.map(|_| ()),
                }
            }
            Report::Deployment(it) if client.place.api == Api::Github => {
                github::deployment(client, waiting, it, now).await
            }
            Report::Check(it) if client.place.api == Api::Github && client.has_app() => {
                github::check(client, waiting, it, now).await
            }
            // Written when the forge was set up otherwise.
            Report::Deployment(_) | Report::Check(_) => Ok(()),
        }
    }

    /// How long a forge is left alone that was found away once more.
    fn away(&mut self) -> Duration {
        let wait = WAITS[self.away.min(WAITS.len() - 1)];
        self.away += 1;
        wait
    }

    /// Says once that a forge does not know us, while what it is to be told waits.
    async fn ask_for_help(&mut self, doc: &Doc<Waiting>, why: &str) -> Result<(), Fault> {
        if self.said.as_deref() == Some(why) {
            return Ok(());
        }
        self.said = Some(why.to_owned());
        let why = format!("{why}; it is told once the token is mended");
        let event = Write::event(&self.failed(&doc.value, &why));
        self.commit(Txn::by("toehold").write(event).op_id(format!("{}/{}/401", doc.key, doc.rev)))
            .await
    }

    async fn give_up(&mut self, doc: &Doc<Waiting>, why: &str) -> Result<(), Fault> {
        error!(app.name = %self.app, forge = self.forge, error = why, "a forge could not be told");
        let is_news = self.said.as_deref() != Some(why);
        self.said = Some(why.to_owned());
        let event = is_news.then(|| self.failed(&doc.value, why));
        self.end(doc, event).await
    }

    fn failed(&self, waiting: &Waiting, why: &str) -> Event {
        let (about, commit) = (waiting.report.about(), waiting.commit.short());
        let text = format!(
            "{} could not be told of toehold/{about} of {commit}: {why}",
            self.client.host()
        );
        Event {
            rev: 0,
            at: self.clock.now(),
            app: Some(waiting.app.clone()),
            kind: EventKind::ReportFailed,
            subject: Subject::Release(waiting.number),
            cause: None,
            actor: "toehold".to_owned(),
            text,
            facts: json!({ "forge": self.forge, "about": about, "error": why }),
        }
    }

    /// It waits no more, unless a newer one has taken its place.
    async fn end(&self, doc: &Doc<Waiting>, event: Option<Event>) -> Result<(), Fault> {
        let mut txn = Txn::by("toehold")
            .expect(doc.key.clone(), doc.rev)
            .write(Write::delete(doc.key.clone()))
            .op_id(format!("{}/{}", doc.key, doc.rev));
        if let Some(event) = &event {
            txn = txn.write(Write::event(event));
        }
        self.commit(txn).await
    }

    async fn commit(&self, txn: Txn) -> Result<(), Fault> {
        loop {
            match self.store.commit(txn.clone()).await {
                Ok(_) | Err(CommitError::Conflict { .. }) => return Ok(()),
                Err(error) if error.is_transient() => tokio::time::sleep(STORE_AGAIN).await,
                Err(error) => return Err(Fault { reason: error.to_string(), source: None }),
            }
        }
    }
}

fn follow(waiting: &mut BTreeMap<Key, Doc<Waiting>>, entry: LogEntry) {
    match (entry.op, entry.value) {
        (Op::Put, Some(value)) => take_in(waiting, Doc { key: entry.key, rev: entry.rev, value }),
        _ => {
            waiting.remove(&entry.key);
        }
    }
}

fn take_in(waiting: &mut BTreeMap<Key, Doc<Waiting>>, doc: Doc) {
    let key = doc.key.clone();
    match doc.read() {
        Ok(doc) => {
            waiting.insert(key, doc);
        }
        Err(error) => error!(%error, "a report cannot be read and is left where it is"),
    }
}

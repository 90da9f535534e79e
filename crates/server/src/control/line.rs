//! A build gets its number and its place in line.

use toehold_core::model::{
    AppName, BranchName, Build, BuildPhase, CommitId, Event, EventKind, Number, Subject, Track,
    Trigger,
};
use toehold_core::wire::api::Queued;

use super::apps::build_key;
use super::carry_out::{Change, only_saying};
use super::queue::{Entry, HeldPush};
use super::{Control, ControlError};
use crate::source::repository::CommitInfo;
use crate::store::{CommitError, Fault, Key, Rev, Txn, Write};

/// How often a build's document is read again after somebody else changed it.
const TRIES: usize = 5;

/// What is to be built.
pub(super) struct Wanted {
    pub(super) commit: CommitId,
    pub(super) branch: BranchName,
    pub(super) track: Track,
    pub(super) trigger: Trigger,
    pub(super) info: CommitInfo,
    pub(super) waiting: Option<HeldPush>,
    /// Documents that must not be there yet and are written with it: a webhook's delivery.
    pub(super) once: Vec<Key>,
    /// Another document that is written with it: what a poll saw.
    pub(super) seen: Option<Write>,
}

impl Control {
    /// Puts a build in line. The same commit on the same track, queued, running or passed last, is
    /// not built twice.
    ///
    /// Whoever asks may hang up at any moment, and what is written must not stay without its place in
    /// line: so it is done by a task of its own, and who asks only waits for it.
    pub(super) async fn enqueue(
        &self,
        name: &AppName,
        wanted: Wanted,
        actor: &str,
    ) -> Result<Queued, ControlError> {
        let broken_off = || Fault { reason: "Toehold ends".to_owned(), source: None };
        let control = self.itself.upgrade().ok_or_else(broken_off)?;
        let (name, actor) = (name.clone(), actor.to_owned());
        let task = async move { control.put_in_line(&name, wanted, &actor).await };
        match self.tasks.spawn(task).await {
            Ok(queued) => queued,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(broken_off().into()),
        }
    }

    async fn put_in_line(
        &self,
        name: &AppName,
        wanted: Wanted,
        actor: &str,
    ) -> Result<Queued, ControlError> {
        let in_turn = self.taking_in.lock().await;
        self.queue().has_room()?;
        for once in &wanted.once {
            if self.store().get(once).await?.is_some() {
                return Err(ControlError::TakenBefore);
            }
        }
        if let Some(number) = self.built_already(name, &wanted).await? {
            self.remember(&wanted, number, actor).await?;
            return Ok(Queued { number, already: true });
        }
        let mut number = Number(0);
        let revs = self
            .change(name, actor, None, |situation, _| {
                let mut app = situation.app.clone();
                number = Number(app.next_number);
                app.next_number += 1;
                let build = wanted.build(name, number, situation.now);
                let events = wanted.events(&build, actor);
                let mut change = Change::from(only_saying(&app, events));
                change.more.push(Write::put(build_key(name, number), &build));
                change.more.extend(self.reports_of_build(None, &build));
                change.expect.extend(wanted.once.iter().map(|once| (once.clone(), Rev::NONE)));
                change.more.extend(wanted.remembered(number));
                Ok(change)
            })
            .await?;
        let entry =
            Entry { app: name.clone(), number, track: wanted.track, waiting: wanted.waiting };
        let gone = self.queue().push_held(entry);
        // It is in line. What is left of it and the next push need not wait for each other.
        drop(in_turn);
        let said = self.caused_by(name, number, revs.first().copied()).await;
        self.queue().release(name, number);
        self.wake_queue.notify_one();
        for older in gone {
            self.superseded(&older, number).await?;
        }
        said?;
        Ok(Queued { number, already: false })
    }

    /// Says in a build's document which event asked for it: everything that comes of it then leads
    /// back to the push.
    async fn caused_by(
        &self,
        name: &AppName,
        number: Number,
        event: Option<u64>,
    ) -> Result<(), ControlError> {
        let key = build_key(name, number);
        for _ in 0..TRIES {
            let Some(doc) = self.store().get_as::<Build>(&key).await? else { return Ok(()) };
            let build = Build { cause: event, ..doc.value };
            let put = Write::put(key.clone(), &build);
            let txn = Txn::by("toehold").expect(key.clone(), doc.rev).write(put);
            match self.store().commit(txn).await {
                Ok(_) => return Ok(()),
                // A newer push has just taken its place, and says so in the document.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ControlError::Contended(name.clone()))
    }

    /// Writes down that a push was heard of whose commit is built already.
    async fn remember(
        &self,
        wanted: &Wanted,
        number: Number,
        actor: &str,
    ) -> Result<(), ControlError> {
        let writes: Vec<Write> = wanted.remembered(number).collect();
        if !writes.is_empty() {
            self.store().commit(Txn { writes, ..Txn::by(actor) }).await?;
        }
        Ok(())
    }

    async fn built_already(
        &self,
        name: &AppName,
        wanted: &Wanted,
    ) -> Result<Option<Number>, ControlError> {
        let newest = self.newest_of(name, wanted.track).await?;
        Ok(newest
            .filter(|build| build.commit == wanted.commit)
            .filter(|build| match build.phase {
                BuildPhase::Queued | BuildPhase::Running { .. } => true,
                BuildPhase::Passed { .. } => !matches!(wanted.trigger, Trigger::Asked { .. }),
                _ => false,
            })
            .map(|build| build.number))
    }
}

impl Wanted {
    /// What is kept of its having been heard of.
    fn remembered(&self, number: Number) -> impl Iterator<Item = Write> {
        let once = self.once.iter().map(move |once| Write::put(once.clone(), &number.0));
        once.chain(self.seen.clone())
    }

    fn build(&self, name: &AppName, number: Number, now: toehold_core::time::Timestamp) -> Build {
        Build {
            app: name.clone(),
            number,
            commit: self.commit.clone(),
            branch: self.branch.clone(),
            track: self.track,
            subject: self.info.subject.clone(),
            author: self.info.author.clone(),
            trigger: self.trigger.clone(),
            queued_at: now,
            started_at: None,
            ended_at: None,
            phase: BuildPhase::Queued,
            steps: Vec::new(),
            cause: None,
        }
    }

    fn events(&self, build: &Build, actor: &str) -> Vec<Event> {
        let event = |kind, text: String| Event {
            rev: 0,
            at: build.queued_at,
            app: Some(build.app.clone()),
            kind,
            subject: Subject::Release(build.number),
            cause: None,
            actor: actor.to_owned(),
            text,
            facts: serde_json::json!({
                "commit": build.commit, "branch": build.branch, "track": build.track,
                "author": build.author, "subject": build.subject, "trigger": build.trigger,
            }),
        };
        let what = format!("{}@{}", build.branch, build.commit.short());
        let how = match &self.trigger {
            Trigger::Push => format!("{what} was pushed: {}", build.subject),
            Trigger::Webhook { forge, .. } => {
                format!("{forge} says {what} was pushed: {}", build.subject)
            }
            Trigger::Poll { forge } => {
                format!("{forge} was found to have {what}: {}", build.subject)
            }
            Trigger::Asked { by, .. } => format!("{by} asked for {what}: {}", build.subject),
        };
        vec![
            event(EventKind::PushReceived, how),
            event(
                EventKind::BuildQueued,
                format!("build {} of {what} is queued for {}", build.number, build.track),
            ),
        ]
    }
}

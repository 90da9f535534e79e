//! Something new to build: from a push, a webhook, or because somebody asked.

use serde::{Deserialize, Serialize};
use toehold_core::model::{
    AppName, BranchName, Build, BuildPhase, CommitId, Event, EventKind, Number, Subject, Track,
    Trigger,
};
use toehold_core::spec::Spec;
use toehold_core::wire::api::{DeployRequest, Done, Queued};
use toehold_core::wish::Wish;

use super::apps::build_key;
use super::carry_out::{Change, only_saying};
use super::queue::{Entry, HeldPush};
use super::{Control, ControlError};
use crate::source::repository::{CommitInfo, Quarantine, Repository};
use crate::source::update::{self, RefUpdate, track_of};
use crate::store::{CommitError, Fault, Key, Rev, Txn, Write};

/// Where an app says what it is.
const CONFIG: &str = "toehold.toml";

/// The largest `toehold.toml`, in bytes.
const CONFIG_MAX_BYTES: usize = 256 * 1024;

/// How often a build's document is read again after somebody else changed it.
const TRIES: usize = 5;

/// What comes of a push.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pushed {
    /// What comes of each ref, in order.
    pub refs: Vec<Verdict>,
}

/// What comes of one ref.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is built.
    Queued {
        /// The build.
        #[serde(flatten)]
        queued: Queued,
        /// Where it goes.
        track: Track,
        /// Whether the push is to fail when the build does.
        reject: bool,
    },
    /// It is not built, and why.
    Ignored {
        /// In words.
        why: String,
    },
}

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
    /// Takes in a push, as git tells it to our hook. One that is `waiting` has not updated its refs
    /// yet: then only what may fail the push is queued.
    pub async fn push(
        &self,
        name: &AppName,
        lines: &str,
        waiting: Option<&HeldPush>,
        actor: &str,
    ) -> Result<Pushed, ControlError> {
        let repository = self.repository(name)?;
        let quarantine = match waiting {
            Some(waiting) => Some(repository.quarantine(&waiting.objects)?),
            None => None,
        };
        let apart = quarantine.as_ref().zip(waiting);
        let mut refs = Vec::new();
        for update in update::parse(lines.as_bytes())? {
            let verdict = self.push_one(name, &repository, &update, apart, actor);
            refs.push(verdict.await?);
        }
        Ok(Pushed { refs })
    }

    async fn push_one(
        &self,
        name: &AppName,
        repository: &Repository,
        update: &RefUpdate,
        apart: Option<(&Quarantine, &HeldPush)>,
        actor: &str,
    ) -> Result<Verdict, ControlError> {
        let quarantine = apart.map(|(quarantine, _)| quarantine);
        let (branch, commit) = match update {
            RefUpdate::Branch { branch, new, .. } => (branch, new),
            other => return Ok(Verdict::Ignored { why: why_ignored(other) }),
        };
        let spec = self.spec_at(repository, commit, quarantine).await?;
        let track = match track_of(&spec, branch) {
            Ok(track) => track,
            Err(unmapped) => {
                let why = unmapped.to_string();
                if quarantine.is_none() {
                    self.ignored(name, actor, &why).await;
                }
                return Ok(Verdict::Ignored { why });
            }
        };
        let reject = spec.build.reject_push;
        if quarantine.is_some() && !reject {
            return Ok(Verdict::Ignored { why: String::new() });
        }
        if quarantine.is_none() {
            // A release needs its commit, whatever becomes of the branch.
            repository.keep(commit).await?;
        }
        let info = repository.commit_info(commit, quarantine).await?;
        // By its real path, whatever way it was named.
        let waiting = apart.map(|(quarantine, waiting)| HeldPush {
            objects: quarantine.path().to_owned(),
            hook: waiting.hook,
        });
        let wanted = Wanted {
            commit: commit.clone(),
            branch: branch.clone(),
            track,
            trigger: Trigger::Push,
            info,
            waiting,
            once: Vec::new(),
            seen: None,
        };
        let queued = self.enqueue(name, wanted, actor).await?;
        Ok(Verdict::Queued { queued, track, reject })
    }

    /// The configuration a commit brings; the default where it cannot be read: the build then says
    /// what is wrong with it.
    async fn spec_at(
        &self,
        repository: &Repository,
        commit: &CommitId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Spec, ControlError> {
        let text = repository.read_file(commit, CONFIG, CONFIG_MAX_BYTES, quarantine).await;
        Ok(text.ok().flatten().and_then(|text| Spec::parse(&text).ok()).unwrap_or_default())
    }

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

    /// `POST …/deploy`: the newest commit of a track, a commit, or a release again.
    pub async fn deploy(
        &self,
        name: &AppName,
        request: &DeployRequest,
        actor: &str,
    ) -> Result<Deployed, ControlError> {
        Ok(self.deploy_numbered(name, request, actor).await?.0)
    }

    /// The same, with the number of the build that was queued, or of the release.
    pub async fn deploy_numbered(
        &self,
        name: &AppName,
        request: &DeployRequest,
        actor: &str,
    ) -> Result<(Deployed, Number), ControlError> {
        if let Some(release) = request.release {
            let track = request.track.unwrap_or(Track::Stable);
            let wish = Wish::Deploy { release, track, automatic: false };
            return Ok((Deployed::Done(self.wish(name, &wish, actor).await?), release));
        }
        self.apps.lock().await.get(name)?;
        let repository = self.repository(name)?;
        let (commit, branch, track) = self.wanted_of(name, &repository, request).await?;
        let again = self.redeploy(name, &commit, track, actor).await?;
        if let Some((done, number)) = again {
            return Ok((Deployed::Done(done), number));
        }
        repository.keep(&commit).await?;
        let info = repository.commit_info(&commit, None).await?;
        let trigger = Trigger::Asked { by: actor.to_owned() };
        let (once, seen) = (Vec::new(), None);
        let wanted = Wanted { commit, branch, track, trigger, info, waiting: None, once, seen };
        let queued = self.enqueue(name, wanted, actor).await?;
        let number = queued.number;
        Ok((Deployed::Queued(queued), number))
    }

    /// A commit whose newest build passed, on this track or else on another, is deployed from its
    /// artifact: the same bytes, not others made anew.
    async fn redeploy(
        &self,
        name: &AppName,
        commit: &CommitId,
        track: Track,
        actor: &str,
    ) -> Result<Option<(Done, Number)>, ControlError> {
        let builds = self.builds(name).await?;
        let of_commit = || builds.iter().filter(|build| build.commit == *commit);
        let newest = of_commit().find(|build| build.track == track).or_else(|| of_commit().next());
        match newest {
            Some(build) if matches!(build.phase, BuildPhase::Passed { .. }) => {
                let wish = Wish::Deploy { release: build.number, track, automatic: false };
                Ok(Some((self.wish(name, &wish, actor).await?, build.number)))
            }
            _ => Ok(None),
        }
    }

    async fn wanted_of(
        &self,
        name: &AppName,
        repository: &Repository,
        request: &DeployRequest,
    ) -> Result<(CommitId, BranchName, Track), ControlError> {
        let branches = if let Some(branch) = &request.branch {
            vec![branch.clone()]
        } else {
            let track = request.track.unwrap_or(Track::Stable);
            // What came last need not be a branch's head: `toehold deploy` moves no branch.
            if request.commit.is_none()
                && let Some(last) = self.last_of(name, repository, track).await?
            {
                return Ok((last.commit, last.branch, track));
            }
            self.branches_of(name, track).await?
        };
        for branch in branches {
            let head = repository.head(&branch).await?;
            let commit = request.commit.clone().or(head);
            let Some(commit) = commit else { continue };
            // What nobody pushed here, a forge may have.
            let is_here = repository.has(&commit).await?
                || (request.commit.is_some()
                    && self.bring_commit(name, repository, &commit).await?);
            if !is_here {
                return Err(ControlError::NoCommit { app: name.clone(), commit });
            }
            let spec = self.spec_at(repository, &commit, None).await?;
            let track = match request.track {
                Some(track) => track,
                None => track_of(&spec, &branch)?,
            };
            return Ok((commit, branch, track));
        }
        let track = request.track.unwrap_or(Track::Stable);
        Err(ControlError::NothingPushed { app: name.clone(), track })
    }

    /// The newest build of a track whose commit is still there.
    async fn last_of(
        &self,
        name: &AppName,
        repository: &Repository,
        track: Track,
    ) -> Result<Option<Build>, ControlError> {
        let builds = self.builds(name).await?;
        let Some(last) = builds.into_iter().find(|build| build.track == track) else {
            return Ok(None);
        };
        Ok(repository.has(&last.commit).await?.then_some(last))
    }

    /// The branches that go to a track, by the release that serves, the app's own word first.
    async fn branches_of(
        &self,
        name: &AppName,
        track: Track,
    ) -> Result<Vec<BranchName>, ControlError> {
        let apps = self.apps.lock().await;
        let loaded = apps.get(name)?;
        let serving = loaded.app.serving().and_then(|number| loaded.releases.get(&number));
        let default = Spec::default();
        let spec = serving.map_or(&default, |release| &release.spec);
        let of_track = spec.branches.iter().filter(|(_, to)| **to == track);
        Ok(of_track.filter_map(|(branch, _)| branch.parse().ok()).collect())
    }

    pub(super) fn repository(&self, name: &AppName) -> Result<Repository, ControlError> {
        Ok(Repository::open(&self.layout().repositories(), name)?)
    }

    /// Writes down that nothing is built of a push.
    pub(super) async fn ignored(&self, name: &AppName, actor: &str, why: &str) {
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: Some(name.clone()),
            kind: EventKind::PushIgnored,
            subject: Subject::App,
            cause: None,
            actor: actor.to_owned(),
            text: why.to_owned(),
            facts: serde_json::Value::Null,
        };
        self.say(event).await;
    }
}

/// Why nothing comes of a ref, in words for the pusher; empty for our own.
fn why_ignored(update: &RefUpdate) -> String {
    match update {
        RefUpdate::Branch { .. } | RefUpdate::Own { .. } => String::new(),
        RefUpdate::BranchDeleted { branch, .. } => {
            format!("branch {branch} was deleted: nothing is built, what runs goes on")
        }
        RefUpdate::Tag { name } => format!("tag {name}: only branches are built"),
        RefUpdate::Other { name } => format!("{name}: only branches are built"),
    }
}

/// What came of a request to deploy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "deployed", rename_all = "snake_case")]
pub enum Deployed {
    /// A build was queued.
    Queued(Queued),
    /// A release that was built already is deployed.
    Done(Done),
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
            Trigger::Asked { by } => format!("{by} asked for {what}: {}", build.subject),
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

//! Something new to build: from a push, a webhook, or because somebody asked.

use serde::{Deserialize, Serialize};
use toehold_core::model::{
    AppName, BranchName, Build, BuildPhase, CommitId, Event, EventKind, Number, Subject, Track,
    Trigger,
};
use toehold_core::spec::Spec;
use toehold_core::wire::api::{DeployRequest, Done, Queued};
use toehold_core::wish::Wish;

use super::line::Wanted;
use super::queue::HeldPush;
use super::{Control, ControlError};
use crate::source::repository::{Quarantine, Repository};
use crate::source::update::{self, RefUpdate, track_of};
use crate::source::webhook::Forge;

/// Where an app says what it is.
const CONFIG: &str = "toehold.toml";

/// The largest `toehold.toml`, in bytes.
const CONFIG_MAX_BYTES: usize = 256 * 1024;

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
        let Meant { commit, branch, track, brought } =
            self.meant(name, &repository, request).await?;
        let again = self.redeploy(name, &commit, track, actor).await?;
        if let Some((done, number)) = again {
            return Ok((Deployed::Done(done), number));
        }
        repository.keep(&commit).await?;
        let info = repository.commit_info(&commit, None).await?;
        let forge = match brought {
            Some(forge) => Some(forge.as_str().to_owned()),
            None => self.came_from(name, &commit).await?,
        };
        let trigger = Trigger::Asked { by: actor.to_owned(), forge };
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

    /// The forge that told of a commit before.
    async fn came_from(
        &self,
        name: &AppName,
        commit: &CommitId,
    ) -> Result<Option<String>, ControlError> {
        let builds = self.builds(name).await?;
        let mut of_commit = builds.iter().filter(|build| build.commit == *commit);
        Ok(of_commit.find_map(|build| build.trigger.forge()).map(str::to_owned))
    }

    async fn meant(
        &self,
        name: &AppName,
        repository: &Repository,
        request: &DeployRequest,
    ) -> Result<Meant, ControlError> {
        let branches = if let Some(branch) = &request.branch {
            vec![branch.clone()]
        } else {
            let track = request.track.unwrap_or(Track::Stable);
            // What came last need not be a branch's head: `toehold deploy` moves no branch.
            if request.commit.is_none()
                && let Some(last) = self.last_of(name, repository, track).await?
            {
                let (commit, branch) = (last.commit, last.branch);
                return Ok(Meant { commit, branch, track, brought: None });
            }
            self.branches_of(name, track).await?
        };
        for branch in branches {
            let head = repository.head(&branch).await?;
            let commit = request.commit.clone().or(head);
            let Some(commit) = commit else { continue };
            // What nobody pushed here, a forge may have.
            let is_here = repository.has(&commit).await?;
            let brought = match &request.commit {
                Some(commit) if !is_here => self.bring_commit(name, repository, commit).await?,
                Some(_) | None => None,
            };
            if !is_here && brought.is_none() {
                return Err(ControlError::NoCommit { app: name.clone(), commit });
            }
            let spec = self.spec_at(repository, &commit, None).await?;
            let track = match request.track {
                Some(track) => track,
                None => track_of(&spec, &branch)?,
            };
            return Ok(Meant { commit, branch, track, brought });
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

/// What a request to deploy means.
struct Meant {
    commit: CommitId,
    branch: BranchName,
    track: Track,
    /// The forge the commit was brought from for it.
    brought: Option<Forge>,
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

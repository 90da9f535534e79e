//! Looking at a forge now and then, for what a lost webhook would have told of.

mod judge;
mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toehold_core::model::{
    AppName, BranchName, Build, Event, EventKind, Number, Subject, Track, Trigger,
};
use toehold_core::tell;
use tokio::sync::Semaphore;
use tracing::warn;

use super::fetch::access;
use super::line::Wanted;
use super::{Control, ControlError};
use crate::settings::ForgeSettings;
use crate::source::SourceError;
use crate::source::repository::{Wanted as Fetched, remote_heads};
use crate::source::webhook::{Forge, asks_for_no_build};
use crate::store::{Key, Txn, Write};
use judge::{Head, Known, Verdict, judge};
use pace::Pace;

/// How long a forge may take to say where its branches are.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many forges are asked at once.
const AT_ONCE: usize = 8;

/// What was seen at the last look, in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// Where each branch was.
    heads: BTreeMap<BranchName, Head>,
}

/// One repository that is looked at.
struct Poll {
    app: AppName,
    forge: Forge,
    set: ForgeSettings,
}

/// Begins to look at every repository that is to be looked at.
pub(super) fn begin(control: &Arc<Control>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    for (app, settings) in &control.settings().apps {
        for (forge, set) in settings.forges() {
            if let Some(every) = set.poll.0 {
                let poll = Poll { app: app.clone(), forge, set: set.clone() };
                let (control, turns) = (Arc::clone(control), Arc::clone(&turns));
                let tasks = control.tasks.clone();
                tasks.spawn(async move { poll.run(&control, every, &turns).await });
            }
        }
    }
}

impl Poll {
    async fn run(self, control: &Control, every: Duration, turns: &Semaphore) {
        let mut pace = Pace::new(every);
        loop {
            let next = control.clock().now().plus(pace.wait());
            tokio::select! {
                () = control.shutdown.cancelled() => return,
                () = control.clock().wait_until(next) => {}
            }
            let looked = tokio::select! {
                () = control.shutdown.cancelled() => return,
                looked = self.look(control, turns) => looked,
            };
            let was_away = pace.is_slowed();
            pace.note(looked.is_ok());
            match looked {
                Ok(()) if was_away => {
                    let text = format!("{} answers again", self.forge.title());
                    control.say(self.event(control, EventKind::ForgeReached, text)).await;
                }
                Ok(()) => {}
                Err(error) => {
                    let why = said(&error);
                    warn!(app.name = %self.app, forge = %self.forge, error = %why, "a forge could not be asked what was pushed; it is asked again");
                    if !was_away {
                        let text = format!(
                            "{} cannot be asked what was pushed, and is asked less often: {why}",
                            self.forge.title()
                        );
                        control.say(self.event(control, EventKind::ForgeUnreachable, text)).await;
                    }
                }
            }
        }
    }

    /// Looks once, and queues what is new.
    async fn look(&self, control: &Control, turns: &Semaphore) -> Result<(), ControlError> {
        let spec = match control.serving_spec(&self.app).await {
            Ok(spec) => spec,
            // It may be made at any time.
            Err(ControlError::NoApp(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let tracks: BTreeMap<BranchName, Track> = spec
            .branches
            .iter()
            .filter_map(|(branch, track)| Some((branch.parse().ok()?, *track)))
            .collect();
        if tracks.is_empty() {
            return Ok(());
        }
        let (remote, login) = access(&self.app, self.forge, &self.set)?;
        let login = login.as_ref();
        let branches: Vec<BranchName> = tracks.keys().cloned().collect();
        // Before the forge is asked: what is told of meanwhile is newer than its answer.
        let builds = control.builds(&self.app).await?;
        let heads = {
            let _turn = turns.acquire().await;
            remote_heads(PATIENCE, &remote, &branches, login).await?
        };
        let key = self.key();
        let kept = control.store().get_as::<Seen>(&key).await?.map(|doc| doc.value);
        let is_first = kept.is_none();
        let mut seen = kept.unwrap_or_default();
        let before = seen.clone();
        let mut unfetched = None;
        for (branch, head) in heads {
            let track = tracks.get(&branch).copied().unwrap_or(Track::Stable);
            let known = Known { seen: seen.heads.get(&branch), builds: &builds, is_first };
            let build = newest(&branch, &builds).unwrap_or_default();
            match judge(&branch, track, &head, &known, control.clock().now()) {
                Verdict::New => {}
                Verdict::Unsettled => continue,
                Verdict::Known => {
                    seen.heads.insert(branch, Head { commit: head, build });
                    continue;
                }
            }
            let repository = control.repository(&self.app)?;
            let fetched = repository.fetch(&remote, &Fetched::Commit(head.clone()), login).await;
            match fetched {
                Ok(_) => {}
                // It has moved on since it was asked where it is. The next look decides.
                Err(error @ SourceError::NotThere { .. }) => {
                    warn!(app.name = %self.app, forge = %self.forge, %branch, %error, "a branch is looked at again");
                    continue;
                }
                // The other branches have nothing to do with it.
                Err(error) => {
                    unfetched.get_or_insert(error);
                    continue;
                }
            }
            if newest(&branch, &control.builds(&self.app).await?) != newest(&branch, &builds) {
                // A webhook was quicker. The next look decides.
                continue;
            }
            seen.heads.insert(branch.clone(), Head { commit: head.clone(), build });
            if asks_for_no_build(&repository.commit_message(&head).await?) {
                self.passed_over(control, &branch).await;
                continue;
            }
            let wanted = Wanted {
                info: repository.commit_info(&head, None).await?,
                commit: head,
                branch,
                track,
                trigger: Trigger::Poll { forge: self.forge.to_string() },
                waiting: None,
                once: Vec::new(),
                seen: Some(Write::put(key.clone(), &seen)),
            };
            control.enqueue(&self.app, wanted, self.forge.as_str()).await?;
        }
        if seen != before || is_first {
            let put = Write::put(key, &seen);
            control.store().commit(Txn::by("toehold").write(put)).await?;
        }
        unfetched.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Where a webhook tells of pushes, it has said so.
    async fn passed_over(&self, control: &Control, branch: &BranchName) {
        if self.set.secrets_file.is_none() {
            let why = format!("the message of {branch}'s commit asks for no build");
            control.ignored(&self.app, self.forge.as_str(), &why).await;
        }
    }

    fn key(&self) -> Key {
        let text = format!("poll/{}/{}", self.app, self.forge);
        text.parse().expect("the names of apps and forges are parts a key may have")
    }

    fn event(&self, control: &Control, kind: EventKind, text: String) -> Event {
        Event {
            rev: 0,
            at: control.clock().now(),
            app: Some(self.app.clone()),
            kind,
            subject: Subject::App,
            cause: None,
            actor: "toehold".into(),
            text,
            facts: serde_json::json!({ "forge": self.forge, "repository": self.set.repository }),
        }
    }
}

/// The number of a branch's newest build; `builds` begin with the newest.
fn newest(branch: &BranchName, builds: &[Build]) -> Option<Number> {
    builds.iter().find(|build| build.branch == *branch).map(|build| build.number)
}

/// An error and all that led to it, on one line.
fn said(error: &ControlError) -> String {
    let text = tell::chain(error).replace('\n', " ");
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

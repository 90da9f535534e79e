//! Machines are configured by an app's own playbook before they take the app.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::come::{self, HEARD};
use super::{Sight, Step, Yard, event};
use crate::model::{
    App, AppName, CommitId, Configured, EventKind, Goal, Machine, MachineGoal, MachineName,
    MachinePhase, Provider,
};
use crate::situation::Releases;
use crate::spec::PlaybookSpec;
use crate::time::Timestamp;

/// A playbook that did not go through is tried so often; then a person has to look.
const MOST_TRIES: u32 = 3;

/// The wait after the first try that failed; after each further one it is three times as long.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// An app whose machines are configured by a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configures {
    /// Which app.
    pub app: AppName,
    /// Whose machines.
    pub provider: Provider,
    /// The commit the playbook is of.
    pub commit: CommitId,
    /// Which playbook of it.
    pub playbook: PlaybookSpec,
}

impl Configures {
    /// What an app's machines are configured by; `None` where it has no playbook. The newest release
    /// that runs or is to run says it: it is what the next instance needs.
    #[must_use]
    pub fn of(app: &App, releases: &Releases) -> Option<Self> {
        let runs = app.instances.iter().filter(|it| it.goal == Goal::Run);
        let release = releases.get(&runs.map(|it| it.release).max()?)?;
        let machines = &release.spec.machines;
        Some(Self {
            app: app.name.clone(),
            provider: machines.provider,
            commit: release.commit.clone(),
            playbook: machines.playbook.clone()?,
        })
    }
}

/// The machines on which each app's playbook is to be run now. All of an app go into one run: a
/// play may speak of several of them.
#[must_use]
pub fn to_configure(yard: Yard<'_>) -> BTreeMap<AppName, Vec<MachineName>> {
    let mut all = BTreeMap::new();
    for wish in yard.playbooks {
        let due: Vec<MachineName> = yard
            .machines
            .iter()
            .filter(|(name, machine)| {
                let sight = yard.sights.get(*name).copied().unwrap_or_default();
                takes(machine, wish, sight) && is_due(machine, wish, yard.now)
            })
            .map(|(name, _)| name.clone())
            .collect();
        if !due.is_empty() {
            all.insert(wish.app.clone(), due);
        }
    }
    all
}

/// Whether the app could run there at all.
fn takes(machine: &Machine, wish: &Configures, sight: Sight) -> bool {
    machine.provider == wish.provider
        && machine.phase == MachinePhase::Ready
        && machine.goal == MachineGoal::Run
        && machine.app.as_ref().is_none_or(|of| *of == wish.app)
        && sight.silent.is_some_and(|silent| silent < HEARD)
}

/// What went through once is not run again by itself; what failed is, by the next commit at once.
fn is_due(machine: &Machine, wish: &Configures, now: Timestamp) -> bool {
    let Some(last) = machine.configured.get(&wish.app) else { return true };
    if last.failed.is_some() && last.commit.as_ref() != Some(&wish.commit) {
        return true;
    }
    let wait = FIRST_WAIT.saturating_mul(3_u32.saturating_pow(last.tries.saturating_sub(1)));
    last.failed.is_some() && last.tries < MOST_TRIES && now.since(last.at) >= wait
}

/// A machine that was made for an app and cannot be configured is given up, so that another one is
/// made; one that belongs to somebody waits for a person.
pub(super) fn hopeless(machine: &Machine, sight: Sight, now: Timestamp) -> Option<Step> {
    let app = machine.app.as_ref().filter(|_| machine.provider.is_elastic())?;
    let last = machine.configured.get(app)?;
    let why = last.failed.as_ref()?;
    let is_over = last.tries >= MOST_TRIES && sight.instances == 0;
    (machine.phase == MachinePhase::Ready && is_over)
        .then(|| come::failed(machine, format!("the playbook of {app}: {why}"), now))
}

/// What a run of an app's playbook came to on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// What went wrong, in words; `None` where all went well.
    pub failed: Option<String>,
    /// Under which name its output is kept; `None` where it could not even begin.
    pub log: Option<String>,
    /// The commit the playbook is of.
    pub commit: CommitId,
    /// Whether somebody asked for another run while this one went on: what it began with may be
    /// older than what they mean.
    pub is_asked_again: bool,
}

/// The machine after an app's playbook ran on it.
#[must_use]
pub fn playbook_outcome(machine: &Machine, app: &AppName, played: Played, now: Timestamp) -> Step {
    let Played { failed, log, commit, is_asked_again } = played;
    let mut next = machine.clone();
    let before = next.configured.get(app).filter(|it| it.commit.as_ref() == Some(&commit));
    let tries = before.map_or(1, |before| before.tries.saturating_add(1));
    let text = match &failed {
        None => format!("the playbook of {app} ran on {}", machine.name),
        Some(why) if tries < MOST_TRIES => {
            format!("the playbook of {app} failed on {}: {why}", machine.name)
        }
        Some(why) => format!(
            "the playbook of {app} failed on {} {tries} times, and is not tried again by \
             itself: {why}",
            machine.name
        ),
    };
    let facts = json!({ "app": app, "tries": tries, "failed": failed, "again": is_asked_again });
    let text = if is_asked_again {
        next.configured.remove(app);
        format!("{text}; it was asked for again meanwhile, and is run once more")
    } else {
        let ended = Configured { at: now, failed, tries, log, commit: Some(commit) };
        next.configured.insert(app.clone(), ended);
        text
    };
    let mut event = event(&next, EventKind::PlaybookEnded, text, &facts, now);
    event.app = Some(app.clone());
    Step { machine: next, event }
}

/// Somebody wants an app's playbook to be run on a machine again, or all of them.
#[must_use]
pub fn configure_again(
    machine: &Machine,
    app: Option<&AppName>,
    actor: &str,
    now: Timestamp,
) -> Step {
    let mut next = machine.clone();
    next.configured.retain(|of, _| app.is_some_and(|app| app != of));
    let what =
        app.map_or_else(|| "its playbooks".to_owned(), |app| format!("the playbook of {app}"));
    let text = format!("{actor} lets {what} run on {} again", machine.name);
    let mut event = event(&next, EventKind::MachineSet, text, &json!({ "app": app }), now);
    actor.clone_into(&mut event.actor);
    Step { machine: next, event }
}

#[cfg(test)]
mod tests;

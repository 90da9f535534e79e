//! Playbooks are run on machines that are new to an app: which, is decided in the core; here a
//! checkout is made, Ansible is let loose, and what comes of it is written down.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use toehold_core::machines::{Configures, Played, configure_again, playbook_outcome};
use toehold_core::model::{
    AppName, CommitId, Event, EventKind, Machine, MachineName, MachinePhase, Subject,
};
use toehold_core::wire::api::Done;
use tokio::sync::mpsc;
use tracing::{error, warn};

use super::people::there;
use crate::ansible::{self, Ended, Play, Record, Told};
use crate::builder::{files, surroundings};
use crate::control::apps::Apps;
use crate::control::{Control, ControlError};

/// So many playbooks run at the same time, each for an app.
const MOST_RUNS: usize = 4;

/// So many tasks of a run become events; all of them are in its record.
const MOST_TASKS: usize = 200;

/// How many words of a run may wait to be written down.
const WORDS: usize = 64;

const UNHEARD: &str = "Ansible said nothing of this machine";

/// A run that goes on.
struct Run {
    machines: Vec<MachineName>,
    /// The task it is at.
    task: String,
    /// Where it was asked for again while it goes on.
    again: BTreeSet<MachineName>,
}

impl Run {
    fn of(machines: Vec<MachineName>) -> Self {
        Self { machines, task: "begins".to_owned(), again: BTreeSet::new() }
    }
}

/// What runs.
#[derive(Default)]
pub(super) struct Runs {
    by_app: BTreeMap<AppName, Run>,
}

impl Runs {
    /// What a playbook does on a machine just now, in words.
    pub(super) fn on(&self, machine: &MachineName) -> Option<String> {
        let (app, run) = self.by_app.iter().find(|(_, run)| run.machines.contains(machine))?;
        Some(format!("playbook of {app}: {}", run.task))
    }

    fn is_busy(&self, machine: &MachineName) -> bool {
        self.by_app.values().any(|run| run.machines.contains(machine))
    }

    /// Somebody wants another run of an app's playbook on a machine, or of all: where one goes on
    /// there, it is another one all the same.
    fn ask_again(&mut self, machine: &MachineName, app: Option<&AppName>) {
        for (of, run) in &mut self.by_app {
            if app.is_none_or(|app| app == of) && run.machines.contains(machine) {
                run.again.insert(machine.clone());
            }
        }
    }

    fn is_asked_again(&self, app: &AppName, machine: &MachineName) -> bool {
        self.by_app.get(app).is_some_and(|run| run.again.contains(machine))
    }
}

/// The playbooks apps ask for.
pub(super) fn playbooks(apps: &Apps) -> Vec<Configures> {
    apps.by_name.values().filter_map(|it| Configures::of(&it.app, &it.releases)).collect()
}

impl Control {
    /// Begins the runs that are due: one at a time for an app, and for a machine.
    pub(super) fn configure_machines(
        &self,
        playbooks: Vec<Configures>,
        due: &BTreeMap<AppName, Vec<MachineName>>,
    ) {
        for play in playbooks {
            let app = play.app.clone();
            let machines = {
                let mut known = self.machines();
                let runs = &known.runs;
                let due = due.get(&app).into_iter().flatten();
                let machines: Vec<MachineName> =
                    due.filter(|it| !runs.is_busy(it)).cloned().collect();
                let is_full = runs.by_app.len() >= MOST_RUNS || runs.by_app.contains_key(&app);
                if machines.is_empty() || is_full {
                    continue;
                }
                let run = Run::of(machines.clone());
                known.runs.by_app.insert(app.clone(), run);
                machines
            };
            let Some(control) = self.itself.upgrade() else { return };
            self.tasks.spawn(async move {
                let stop = control.shutdown.clone();
                stop.run_until_cancelled(control.configure(&play, &machines)).await;
                control.machines().runs.by_app.remove(&app);
                control.wake_machines.notify_one();
            });
        }
    }

    /// Runs a playbook on machines, and writes down what came of it for each.
    async fn configure(&self, of: &Configures, machines: &[MachineName]) {
        let (app, path) = (&of.app, &of.playbook.path);
        for machine in machines {
            let text = format!("the playbook of {app} ({path}) runs on {machine}");
            let facts = json!({ "playbook": path, "commit": of.commit });
            self.say_of_playbook(app, machine, EventKind::PlaybookStarted, text, facts).await;
        }
        let records = self.layout().playbook_records();
        let record = Record::create(&records, app, self.clock().now());
        let ended = match &record {
            Ok(record) => self.play(of, machines, record).await,
            Err(error) => {
                Err(format!("its output cannot be kept in {}: {error}", records.display()))
            }
        };
        let log = record.ok().map(|record| record.name().to_owned());
        for machine in machines {
            let failed = match &ended {
                // What nothing was said of is not taken for done.
                Ok(all) => all.get(machine).map_or_else(|| Some(UNHEARD.to_owned()), Ended::why),
                Err(why) => Some(why.clone()),
            };
            let commit = of.commit.clone();
            let played = Played { failed, log: log.clone(), commit, is_asked_again: false };
            self.note_played(app, machine, played).await;
        }
    }

    /// The run itself; an error in words counts for every machine.
    async fn play(
        &self,
        of: &Configures,
        machines: &[MachineName],
        record: &Record,
    ) -> Result<BTreeMap<MachineName, Ended>, String> {
        let app = &of.app;
        let failed = |what: &str, error: &dyn std::error::Error| {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            format!("{what}: {error}{cause}")
        };
        let checkout = self.checkout_for_playbook(app, &of.commit).await;
        let checkout = checkout.map_err(|error| failed("the commit cannot be read", &error))?;
        let inventory = self.inventory_for(app, machines).await;
        let inventory = inventory.map_err(|error| failed("no inventory can be made", &error))?;
        let known_hosts = self.known_host_keys();
        let (tell, mut told) = mpsc::channel(WORDS);
        let play = Play {
            checkout: &checkout,
            playbook: &of.playbook.path,
            inventory: &inventory,
            known_hosts: &known_hosts,
            machines,
            timeout: of.playbook.timeout,
            environment: surroundings().into_iter().chain(operators_own()).collect(),
            record,
        };
        let work = async move {
            let ended = ansible::run(&play, &tell).await;
            drop(tell);
            ended
        };
        let listen = async {
            let mut said = 0;
            while let Some(told) = told.recv().await {
                said += self.hear_playbook(app, machines, told, said < MOST_TASKS).await;
            }
        };
        let (ended, ()) = tokio::join!(work, listen);
        if let Err(error) = tokio::fs::remove_dir_all(&checkout).await {
            warn!(%error, "the checkout of a playbook cannot be removed");
        }
        ended.map_err(|error| failed("it cannot be run", &error))
    }

    /// The files of the commit, in a folder of their own.
    async fn checkout_for_playbook(
        &self,
        app: &AppName,
        commit: &CommitId,
    ) -> Result<std::path::PathBuf, ControlError> {
        let unusable = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| ControlError::File { path, source }
        };
        let folder = std::path::absolute(self.layout().playbooks().join(app.as_str()))
            .map_err(unusable(self.layout().root()))?;
        if folder.exists() {
            tokio::fs::remove_dir_all(&folder).await.map_err(unusable(&folder))?;
        }
        tokio::fs::create_dir_all(&folder).await.map_err(unusable(&folder))?;
        files(self.repository(app)?.path(), commit, &folder).await?;
        Ok(folder)
    }

    /// Takes in a word of a run; gives how many events it became.
    async fn hear_playbook(
        &self,
        app: &AppName,
        machines: &[MachineName],
        told: Told,
        is_said: bool,
    ) -> usize {
        match told {
            Told::Began { task } => {
                if let Some(run) = self.machines().runs.by_app.get_mut(app) {
                    run.task = task;
                }
                0
            }
            Told::Done { text, place, took } if is_said => {
                let facts = json!({
                    "machines": machines,
                    "place": place,
                    "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                });
                // A task of many machines is one event, about the first of them.
                if let Some(first) = machines.first() {
                    self.say_of_playbook(app, first, EventKind::PlaybookTask, text, facts).await;
                }
                1
            }
            Told::Done { .. } => 0,
        }
    }

    async fn say_of_playbook(
        &self,
        app: &AppName,
        machine: &MachineName,
        kind: EventKind,
        text: String,
        facts: Value,
    ) {
        let event = Event {
            rev: 0,
            at: self.clock().now(),
            app: Some(app.clone()),
            kind,
            subject: Subject::Machine(machine.clone()),
            cause: None,
            actor: "toehold".into(),
            text,
            facts,
        };
        self.say(event).await;
    }

    /// What came of a playbook on a machine, written down.
    async fn note_played(&self, app: &AppName, name: &MachineName, played: Played) {
        let now = self.clock().now();
        let grant = |machine: Option<Machine>| {
            let there = machine.filter(|it| it.phase != MachinePhase::Gone);
            // Whoever asks at this moment changes the machine too: one of the two is granted anew.
            let is_asked_again = self.machines().runs.is_asked_again(app, name);
            let played = Played { is_asked_again, ..played.clone() };
            let step = there.map(|it| playbook_outcome(&it, app, played, now));
            Ok::<_, ControlError>(step)
        };
        if let Err(error) = self.change_machine(name, grant).await {
            error!(machine.name = %name, %error, "what came of a playbook could not be kept; it is run again");
        }
    }

    /// Lets an app's playbook, or each, be run on a machine again.
    pub async fn configure_machine(
        &self,
        name: &MachineName,
        app: Option<&AppName>,
        actor: &str,
    ) -> Result<Done, ControlError> {
        let now = self.clock().now();
        let text = configure_again(&self.machine(name)?, app, actor, now).event.text;
        self.machines().runs.ask_again(name, app);
        let grant = |machine| {
            let machine = there(machine, name)?;
            Ok::<_, ControlError>(Some(configure_again(&machine, app, actor, now)))
        };
        self.change_machine(name, grant).await?;
        Ok(Done { text, event: None })
    }

    /// What the last run of a playbook on a machine printed, newest first where there are several
    /// apps.
    pub fn playbook_output(
        &self,
        name: &MachineName,
        app: Option<&AppName>,
    ) -> Result<Option<String>, ControlError> {
        let machine = self.machine(name)?;
        let records = self.layout().playbook_records();
        let mut runs: Vec<_> = machine
            .configured
            .iter()
            .filter(|(of, _)| app.is_none_or(|app| app == *of))
            .filter_map(|(of, it)| Some((it.at, of, it.log.as_ref()?)))
            .collect();
        runs.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
        Ok(runs.into_iter().find_map(|(_, of, log)| ansible::output(&records, of, log)))
    }
}

/// What the operator set for Ansible, and whose home its settings lie in.
fn operators_own() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("ANSIBLE_") || matches!(&*name, "HOME" | "USER" | "LOGNAME")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_is_remembered_of_the_playbooks_that_run_there_alone() {
        let name = |name: &str| name.parse::<MachineName>().expect("a machine's name");
        let app = |name: &str| name.parse::<AppName>().expect("an app's name");
        let mut runs = Runs::default();
        runs.by_app.insert(app("shop"), Run::of(vec![name("web1"), name("web2")]));
        runs.by_app.insert(app("blog"), Run::of(vec![name("web3")]));
        let asked = |runs: &Runs| {
            let all = [("shop", "web1"), ("shop", "web2"), ("blog", "web1"), ("blog", "web3")];
            all.map(|(of, machine)| runs.is_asked_again(&app(of), &name(machine)))
        };
        runs.ask_again(&name("web1"), Some(&app("blog")));
        assert_eq!(asked(&runs), [false, false, false, false], "the blog's does not run there");
        runs.ask_again(&name("web1"), Some(&app("shop")));
        assert_eq!(asked(&runs), [true, false, false, false]);
        runs.ask_again(&name("web3"), None);
        assert_eq!(asked(&runs), [true, false, false, true]);
    }
}

//! The machines in memory: what the store says of each, kept true by each commit, and what is seen
//! of them.

mod act;
mod change;
mod configure;
mod first_words;
mod held;
mod inventory;
mod people;
mod providers;
mod tend;
mod upgrade;
mod well;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use toehold_core::decide::{MachineSeen, Standing};
use toehold_core::machines::{Held, Lists, Refused, Sight};
use toehold_core::model::{
    App, AppName, Machine, MachineGoal, MachineName, MachinePhase, Provider,
};
use toehold_core::time::Timestamp;

use super::Control;
use crate::fleet::{AgentSeen, Agents};
use crate::store::{Key, ReadError, Rev, Store};

pub use people::{AddError, NewMachine};
pub(super) use tend::run;

/// A machine, as the store has it.
struct Loaded {
    rev: Rev,
    machine: Machine,
}

/// What is being done about a machine.
#[derive(Clone, Copy, Default)]
struct Doing {
    /// Somebody is at it.
    is_busy: bool,
    /// Failures in a row, for how long is waited.
    streak: u32,
    /// Looks in a row at a machine that is being made.
    looks: u32,
    /// Not to be tried before.
    not_before: Option<Instant>,
}

impl Doing {
    /// Whether something may begin now.
    fn is_free(self) -> bool {
        !self.is_busy && self.not_before.is_none_or(|at| at <= Instant::now())
    }
}

/// Every machine but the one Toehold runs on.
pub(super) struct Machines {
    by_name: BTreeMap<MachineName, Loaded>,
    /// How many instances of which app each machine has.
    counts: BTreeMap<MachineName, BTreeMap<AppName, usize>>,
    empty_since: BTreeMap<MachineName, Timestamp>,
    doing: BTreeMap<MachineName, Doing>,
    given: BTreeMap<Provider, Lists>,
    refused: BTreeMap<Provider, Refused>,
    asked: providers::Asked,
    held: Vec<Held>,
    runs: configure::Runs,
    upgrades: upgrade::Upgrades,
    began: Instant,
}

impl Machines {
    /// Reads them all.
    pub(super) async fn load(store: &Arc<dyn Store>) -> Result<Self, ReadError> {
        let (docs, _) = store.list_as::<Machine>("machine/").await?;
        let loaded = docs
            .into_iter()
            .map(|doc| (doc.value.name.clone(), Loaded { rev: doc.rev, machine: doc.value }));
        Ok(Self {
            by_name: loaded.collect(),
            counts: BTreeMap::new(),
            empty_since: BTreeMap::new(),
            doing: BTreeMap::new(),
            given: BTreeMap::new(),
            refused: BTreeMap::new(),
            asked: providers::Asked::default(),
            held: Vec::new(),
            runs: configure::Runs::default(),
            upgrades: upgrade::Upgrades::default(),
            began: Instant::now(),
        })
    }

    /// The machines instances may be placed on, the one Toehold runs on included.
    pub(super) fn names(&self) -> impl Iterator<Item = MachineName> {
        let is_there = |it: &&Loaded| it.machine.phase != MachinePhase::Gone;
        let others = self.by_name.values().filter(is_there).map(|it| it.machine.name.clone());
        std::iter::once(MachineName::local()).chain(others)
    }

    /// Where the proxy reaches what runs on a machine.
    pub(super) fn address(&self, machine: &MachineName) -> Option<IpAddr> {
        if *machine == MachineName::local() {
            return Some(Ipv4Addr::LOCALHOST.into());
        }
        self.by_name.get(machine)?.machine.address
    }

    /// Takes note of who has how many instances.
    pub(super) fn count<'a>(&mut self, apps: impl Iterator<Item = &'a App>) {
        self.counts.clear();
        for app in apps {
            for place in app.instances.iter().filter_map(|instance| instance.place.as_ref()) {
                let machine = self.counts.entry(place.machine.clone()).or_default();
                *machine.entry(app.name.clone()).or_default() += 1;
            }
        }
    }

    fn instances(&self, machine: &MachineName) -> usize {
        self.counts.get(machine).map_or(0, |apps| apps.values().sum())
    }

    /// What a decision about an app sees of a machine.
    fn seen(&self, machine: &Machine, app: &AppName, heard: bool) -> MachineSeen {
        let configured = machine.configured.get(app);
        let mine = self.counts.get(&machine.name).and_then(|apps| apps.get(app)).copied();
        MachineSeen {
            provider: machine.provider,
            heard: heard && machine.phase == MachinePhase::Ready,
            standing: standing(machine, app),
            is_configured: configured.is_some_and(|it| it.failed.is_none()),
            others: self.instances(&machine.name).saturating_sub(mine.unwrap_or(0)),
        }
    }

    /// What a decision about machines sees of one.
    fn sight(&self, name: &MachineName, agent: Option<&AgentSeen>, now: Timestamp) -> Sight {
        let empty_since = self.empty_since.get(name);
        Sight {
            silent: agent.map(|seen| seen.at.elapsed()),
            watched: self.began.elapsed(),
            instances: self.instances(name),
            empty: empty_since.map_or(Duration::ZERO, |since| now.since(*since)),
            is_cut_off: false,
        }
    }
}

/// What may be done with a machine, as far as an app is concerned.
fn standing(machine: &Machine, app: &AppName) -> Standing {
    match (&machine.phase, machine.goal) {
        (
            MachinePhase::Lost { .. }
            | MachinePhase::Failed { .. }
            | MachinePhase::Leaving
            | MachinePhase::Gone,
            _,
        ) => Standing::Lost,
        (_, MachineGoal::Drain | MachineGoal::Remove) => Standing::Emptying,
        (MachinePhase::Ready, MachineGoal::Run)
            if machine.app.as_ref().is_none_or(|of| of == app) =>
        {
            Standing::Open
        }
        (MachinePhase::Ready, MachineGoal::Run | MachineGoal::Cordon)
        | (MachinePhase::Wanted | MachinePhase::Bringing, _) => Standing::Closed,
    }
}

/// Where a machine's document is.
fn machine_key(name: &MachineName) -> Key {
    format!("machine/{name}").parse().expect("a machine's name is a part a key may have")
}

impl Control {
    pub(super) fn machines(&self) -> MutexGuard<'_, Machines> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machines as a decision about an app sees them.
    pub(super) fn machines_seen(
        &self,
        app: &AppName,
        agents: &Agents,
    ) -> BTreeMap<MachineName, MachineSeen> {
        let heard = |name: &MachineName| agents.get(name).is_some_and(|it| it.is_fresh());
        let machines = self.machines();
        let others = machines.by_name.values().filter(|it| it.machine.phase != MachinePhase::Gone);
        let mut seen: BTreeMap<MachineName, MachineSeen> = others
            .map(|it| {
                let name = &it.machine.name;
                (name.clone(), machines.seen(&it.machine, app, heard(name)))
            })
            .collect();
        let local = MachineName::local();
        let here = MachineSeen::local(heard(&local));
        seen.insert(local, here);
        seen
    }
}

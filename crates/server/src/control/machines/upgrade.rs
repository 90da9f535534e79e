//! Agents that are another program than this control plane's: which of them were replaced, and the
//! deed itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use toehold_core::machines::{AgentSight, Outcome, Remedy, to_upgrade};
use toehold_core::model::{Digest, Machine, MachineName};
use tracing::info;

use super::Machines;
use crate::control::Control;
use crate::fleet::{AgentProgram, Agents};
use crate::provider::ProviderError;

/// How far it is.
#[derive(Default)]
pub(super) struct Upgrades {
    /// The SHA-256 of our own program; `None` while it was not read.
    pub(super) own: Option<Digest>,
    /// Where an agent was replaced last, unless that failed.
    last: Option<MachineName>,
    tried: BTreeMap<MachineName, Instant>,
    /// Where our program can never run; forgotten with this control plane, whose program it is.
    unfit: BTreeSet<MachineName>,
}

impl Control {
    /// The machine whose agent is to be replaced now; its turn begins with that.
    pub(super) fn upgrade_due(&self, agents: &Agents) -> Option<MachineName> {
        let programs = self.parts.fleet.programs();
        let mut known = self.machines();
        let Machines { by_name, doing, upgrades, .. } = &mut *known;
        let own = upgrades.own.as_ref()?;
        let sight = |(name, program): (&MachineName, &AgentProgram)| {
            let doing = doing.get(name).copied().unwrap_or_default();
            let sight = AgentSight {
                program: program.digest.clone(),
                heard: agents.get(name).is_some_and(|it| it.is_fresh()),
                free: doing.is_free(),
                tried: upgrades.tried.get(name).map(Instant::elapsed),
                is_unfit: upgrades.unfit.contains(name),
            };
            (name.clone(), sight)
        };
        let sights = programs.iter().map(sight).collect();
        let machines: BTreeMap<MachineName, Machine> =
            by_name.iter().map(|(name, it)| (name.clone(), it.machine.clone())).collect();
        let last = upgrades.last.as_ref();
        let last = last.and_then(|it| Some((it, upgrades.tried.get(it)?.elapsed())));
        let due = to_upgrade(&machines, &sights, own, last)?.clone();
        upgrades.tried.insert(due.clone(), Instant::now());
        upgrades.last = Some(due.clone());
        Some(due)
    }

    /// Replaces the agent.
    pub(super) async fn upgrade(&self, machine: &Machine) -> Result<Outcome, ProviderError> {
        let programs = self.parts.fleet.programs();
        let from = programs.get(&machine.name).map_or("?".to_owned(), |it| it.version.clone());
        info!(machine.name = %machine.name, agent.version = %from, "an agent is another program than this one, and is replaced");
        if let Err(ProviderError { why, remedy }) = self.bring(machine, true).await {
            let name = &machine.name;
            let is_over = remedy == Remedy::Nothing;
            {
                let upgrades = &mut self.machines().upgrades;
                upgrades.last.take_if(|it| it == name);
                if is_over {
                    upgrades.unfit.insert(name.clone());
                }
            }
            let next = if is_over {
                "; that is not tried again: put a Toehold of this version there that was built for \
                 it, and start it with `toehold agent`"
            } else {
                ""
            };
            let why = format!(
                "the agent of {name} is of another version ({from}) and cannot be replaced: \
                 {why}{next}"
            );
            return Err(ProviderError { why, remedy });
        }
        Ok(Outcome::Upgraded { from })
    }
}

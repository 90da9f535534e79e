//! What was tried with a machine, and what came of it.

use std::net::IpAddr;

use serde_json::json;

use super::{Step, come, event, step};
use crate::model::{Access, EventKind, Machine, MachinePhase};
use crate::tell;
use crate::time::Timestamp;

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its provider has made it.
    Made {
        /// What its provider calls it.
        provider_id: String,
        /// Where the proxy reaches its instances.
        address: IpAddr,
        /// How it is reached by SSH.
        access: Access,
    },
    /// Its provider is making it.
    Coming {
        /// What its provider calls it, as far as that is known.
        provider_id: Option<String>,
    },
    /// Its agent was another program than ours, and was replaced.
    Upgraded {
        /// The version it had.
        from: String,
    },
    /// It is given back; nothing of it is left at its provider.
    Gone,
    /// It did not work.
    Failed {
        /// Why, with what to do.
        why: String,
        /// What may help.
        remedy: Remedy,
    },
}

/// What may help where something with a machine did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// To try again.
    Again,
    /// It is no machine's trouble: the whole account is refused, and each machine would be. It is
    /// tried again by itself, and no machine is given up for it.
    Account,
    /// Somebody has to do something.
    Person,
    /// Nothing: this machine can never be what is wanted of it.
    Nothing,
}

impl Remedy {
    /// Whether the same may work by itself later.
    const fn is_time(self) -> bool {
        match self {
            Self::Again | Self::Account => true,
            Self::Person | Self::Nothing => false,
        }
    }
}

/// The machine after an act; `None` where the act has no place in its phase any more, or where what
/// it says is known.
#[must_use]
pub fn outcome(machine: &Machine, outcome: Outcome, now: Timestamp) -> Option<Step> {
    match (outcome, &machine.phase) {
        (Outcome::Made { provider_id, address, access }, MachinePhase::Wanted) => {
            let took = now.since(machine.since);
            let text = format!("{} was made within {}", machine.name, tell::duration(took));
            let facts = json!({ "provider_id": provider_id, "took_ms": took.as_millis() });
            let made = (EventKind::MachineMade, text);
            let mut next = step(machine, MachinePhase::Bringing, made, &facts, now);
            next.machine.provider_id = Some(provider_id);
            next.machine.address = Some(address);
            next.machine.access = Some(access);
            Some(next)
        }
        // What is being made costs money from now on: its name at its provider is kept at once.
        (
            Outcome::Coming { provider_id },
            MachinePhase::Wanted | MachinePhase::Failed { .. } | MachinePhase::Leaving,
        ) => {
            let id = provider_id.filter(|id| machine.provider_id.as_ref() != Some(id))?;
            let text =
                format!("{} is being made: {} calls it {id}", machine.name, machine.provider);
            let facts = json!({ "provider_id": id });
            let event = event(machine, EventKind::MachineBegun, text, &facts, now);
            let next = Machine { provider_id: Some(id), trouble: None, ..machine.clone() };
            Some(Step { machine: next, event })
        }
        (Outcome::Upgraded { from }, _) => {
            let text = format!(
                "the agent of {} was another program than this control plane's (version {from}) \
                 and was replaced; what runs there goes on",
                machine.name
            );
            let facts = json!({ "from": from });
            let event = event(machine, EventKind::MachineUpgraded, text, &facts, now);
            Some(Step { machine: Machine { trouble: None, ..machine.clone() }, event })
        }
        (Outcome::Gone, MachinePhase::Leaving) => {
            let text = format!("{} is gone", machine.name);
            let gone = (EventKind::MachineGone, text);
            Some(step(machine, MachinePhase::Gone, gone, &json!({}), now))
        }
        (Outcome::Gone, MachinePhase::Failed { .. }) => {
            let text = format!("what there was of {} is given back", machine.name);
            let event = event(machine, EventKind::MachineLeaving, text, &json!({}), now);
            let mut machine = machine.clone();
            machine.provider_id = None;
            Some(Step { machine, event })
        }
        (Outcome::Failed { why, remedy }, phase) => {
            let comes_up = matches!(phase, MachinePhase::Wanted | MachinePhase::Bringing);
            // A machine that is there already may be mended by its owner at any time, as far as it
            // can be mended.
            let is_over = match remedy {
                Remedy::Again | Remedy::Account => false,
                Remedy::Person => machine.provider.is_elastic(),
                Remedy::Nothing => true,
            };
            if comes_up && is_over {
                return Some(come::failed(machine, why, now));
            }
            if machine.trouble.as_ref() == Some(&why) {
                return None;
            }
            let text = format!("{}: {why}", machine.name);
            let facts = json!({ "transient": remedy.is_time() });
            let event = event(machine, EventKind::MachineTrouble, text, &facts, now);
            let machine = Machine { trouble: Some(why), ..machine.clone() };
            Some(Step { machine, event })
        }
        (Outcome::Made { .. } | Outcome::Coming { .. } | Outcome::Gone, _) => None,
    }
}

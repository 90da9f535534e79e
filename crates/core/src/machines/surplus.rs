//! What a provider has of ours that is too much.

use std::collections::BTreeMap;

use super::Given;
use crate::model::{Machine, MachineName, MachinePhase, Provider};

/// What came of comparing what a provider has with what we know of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surplus {
    /// To be given back: it was made by us under a name whose machine is gone, or a second time.
    pub give_back: Vec<Given>,
    /// It carries our mark and nobody here asked for it: a person should look.
    pub strange: Vec<Given>,
}

/// Compares what a provider has with our documents. Only what a document names is given back: a
/// mark alone could have been put there by anybody.
#[must_use]
pub fn surplus(
    machines: &BTreeMap<MachineName, Machine>,
    provider: Provider,
    given: &[Given],
) -> Surplus {
    let mut found = Surplus::default();
    for given in given {
        let name: Option<MachineName> = given.name.parse().ok();
        let known = name.and_then(|name| machines.get(&name)).filter(|it| it.provider == provider);
        match known {
            None => found.strange.push(given.clone()),
            Some(machine) if is_too_much(machine, given) => found.give_back.push(given.clone()),
            Some(_) => {}
        }
    }
    found
}

fn is_too_much(machine: &Machine, given: &Given) -> bool {
    match &machine.provider_id {
        Some(id) => *id != given.provider_id || machine.phase == MachinePhase::Gone,
        // One that is being made is not known by its id yet. One that was given up never will be:
        // what shows up under its name now is the answer nobody heard.
        None => matches!(machine.phase, MachinePhase::Gone | MachinePhase::Failed { .. }),
    }
}

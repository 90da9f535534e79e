//! Whose agent is to be replaced? Agents that are another program than the control plane's give way
//! to it, one machine at a time. What runs there goes on: the next agent takes it up.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Digest, Machine, MachineName, MachinePhase};

/// How long an agent that was replaced may take to call before the next machine's turn comes. One
/// that does not is looked after like any other that is silent.
const PATIENCE: Duration = Duration::from_mins(5);

/// How long is waited before the same machine is tried again.
const RETRY: Duration = Duration::from_mins(10);

/// What is known of an agent, as far as replacing it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSight {
    /// The SHA-256 of its program; `None` where it does not say, which ours does.
    pub program: Option<Digest>,
    /// Whether it calls.
    pub heard: bool,
    /// Whether nothing else is being done about its machine.
    pub free: bool,
    /// How long ago it was replaced, or that was tried.
    pub tried: Option<Duration>,
    /// Whether our program can never run there: it is left as it is.
    pub is_unfit: bool,
}

impl AgentSight {
    fn is(&self, own: &Digest) -> bool {
        self.program.as_ref() == Some(own)
    }
}

/// The machine whose agent is to be replaced now. `own` is the control plane's program; `last` is
/// where an agent was replaced last and how long ago, unless that failed: a failure holds up nobody
/// else.
#[must_use]
pub fn to_upgrade<'a>(
    machines: &'a BTreeMap<MachineName, Machine>,
    agents: &BTreeMap<MachineName, AgentSight>,
    own: &Digest,
    last: Option<(&MachineName, Duration)>,
) -> Option<&'a MachineName> {
    let is_ready =
        |name: &MachineName| machines.get(name).is_some_and(|it| it.phase == MachinePhase::Ready);
    let is_back = |name| agents.get(name).is_some_and(|it| it.heard && it.is(own));
    // One that is gone is waited for no longer, either.
    let is_over = |(name, ago)| ago >= PATIENCE || !is_ready(name) || is_back(name);
    if !last.is_none_or(is_over) {
        return None;
    }
    let is_due = |it: &AgentSight| {
        it.heard
            && it.free
            && !it.is_unfit
            && !it.is(own)
            && it.tried.is_none_or(|ago| ago >= RETRY)
    };
    machines
        .iter()
        .filter(|(name, machine)| is_ready(name) && machine.access.is_some())
        .find_map(|(name, _)| agents.get(name).is_some_and(is_due).then_some(name))
}

#[cfg(test)]
mod tests;

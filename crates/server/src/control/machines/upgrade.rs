//! Agents that are another program than this control plane's: each is replaced over SSH, one
//! machine at a time. Its instances go on: the next agent takes them up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use toehold_core::model::{Digest, MachineName};

use crate::fleet::AgentProgram;

/// How long an agent that was replaced may take to call before the next machine's turn comes. One
/// that does not is looked after like any other that is silent.
const PATIENCE: Duration = Duration::from_mins(5);

/// How long is waited before the same machine is tried again.
const RETRY: Duration = Duration::from_mins(10);

/// How far it is.
#[derive(Default)]
pub(super) struct Upgrades {
    /// The SHA-256 of our own program; `None` while it was not read.
    pub(super) own: Option<Digest>,
    under_way: Option<(MachineName, Instant)>,
    tried: BTreeMap<MachineName, Instant>,
}

impl Upgrades {
    /// Whether this agent is another program than ours.
    pub(super) fn is_other(&self, program: Option<&AgentProgram>) -> bool {
        self.own.is_some() && program.is_some_and(|it| it.digest != self.own)
    }

    /// Whether a machine's turn has come; where it has, it is under way from now on. `is_done`
    /// says whether a machine's agent is ours by now.
    pub(super) fn begin(
        &mut self,
        machine: &MachineName,
        is_done: impl Fn(&MachineName) -> bool,
        now: Instant,
    ) -> bool {
        let over = |(of, since): &(MachineName, Instant)| is_done(of) || now - *since >= PATIENCE;
        if !self.under_way.as_ref().is_none_or(over) {
            return false;
        }
        if self.tried.get(machine).is_some_and(|at| now - *at < RETRY) {
            return false;
        }
        self.under_way = Some((machine.clone(), now));
        self.tried.insert(machine.clone(), now);
        true
    }

    /// It did not work on this machine: the others need not wait for it.
    pub(super) fn failed(&mut self, machine: &MachineName) {
        self.under_way.take_if(|(of, _)| of == machine);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str) -> MachineName {
        name.parse().expect("a machine's name")
    }

    #[test]
    fn one_machine_at_a_time_and_one_that_fails_holds_up_nobody() {
        let now = Instant::now();
        let (web1, web2) = (machine("web1"), machine("web2"));
        let mut upgrades = Upgrades::default();
        assert!(upgrades.begin(&web1, |_| false, now));
        assert!(!upgrades.begin(&web2, |_| false, now + PATIENCE / 2), "web1 has not called yet");
        assert!(upgrades.begin(&web2, |it| *it == web1, now));
        upgrades.failed(&web2);
        assert!(!upgrades.begin(&web2, |_| false, now), "it was tried just now");
        assert!(upgrades.begin(&machine("web3"), |_| false, now));
        assert!(upgrades.begin(&web2, |_| false, now + RETRY), "web3 had its time");
    }

    #[test]
    fn an_agent_is_another_one_only_where_both_are_known() {
        let own = Digest::of(b"ours");
        let agent = |digest| AgentProgram { version: "0.1.0".into(), digest };
        let mut upgrades = Upgrades::default();
        assert!(!upgrades.is_other(Some(&agent(None))));
        upgrades.own = Some(own.clone());
        assert!(!upgrades.is_other(None));
        assert!(!upgrades.is_other(Some(&agent(Some(own)))));
        assert!(upgrades.is_other(Some(&agent(Some(Digest::of(b"another"))))));
        assert!(upgrades.is_other(Some(&agent(None))), "one of an earlier time does not say");
    }
}

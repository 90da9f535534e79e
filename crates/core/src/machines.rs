//! Which machines should there be, and how far has each come?
//!
//! A machine's document says what is wished and what was settled; its provider and its agent say
//! how it is. What is to be done about one follows from its phase alone ([`Machine::phase`]):
//! whoever does it may die at any moment and begin again.

mod come;
mod go;
mod make;
mod outcome;
mod playbook;
mod surplus;
mod upgrade;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::{
    AppName, Event, EventKind, Machine, MachineName, MachinePhase, Provider, Subject,
};
use crate::time::Timestamp;

pub use come::DEADLINE;
pub use go::IDLE;
pub use outcome::{Outcome, Remedy, outcome};
pub use playbook::{Configures, Played, configure_again, playbook_outcome, to_configure};
pub use surplus::{Surplus, surplus};
pub use upgrade::{AgentSight, to_upgrade};

/// What is known of a machine besides its document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// How long its agent has said nothing; `None` while it was not heard at all since the control
    /// plane started.
    pub silent: Option<Duration>,
    /// How long the control plane has been able to hear it.
    pub watched: Duration,
    /// How many instances of all apps it has.
    pub instances: usize,
    /// How long it has had none.
    pub empty: Duration,
    /// Whether the proxy reaches nothing of what it routes to there.
    pub is_cut_off: bool,
}

/// A machine as its provider tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// What its provider calls it.
    pub provider_id: String,
}

/// What a provider has of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// When it was asked: of what came to be later, this says nothing.
    pub asked_at: Timestamp,
    /// All of it.
    pub machines: Vec<Given>,
}

/// What a provider said of late: one list alone is not believed where it misses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// The newest.
    pub last: Listed,
    /// The one right before it; `None` where there was none, or nothing was answered in between.
    pub before: Option<Listed>,
}

impl Lists {
    /// Whether both say that there is no such machine, which was there when they were asked for.
    fn both_miss(&self, machine: &Machine) -> bool {
        let misses = |list: &Listed| {
            machine.since < list.asked_at
                && !list
                    .machines
                    .iter()
                    .any(|given| Some(&given.provider_id) == machine.provider_id.as_ref())
        };
        misses(&self.last) && self.before.as_ref().is_some_and(misses)
    }
}

/// That a provider refuses the whole account: no machine can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, with what to do.
    pub why: String,
    /// Since when.
    pub began_at: Timestamp,
    /// When it was over; `None` while it lasts.
    pub ended_at: Option<Timestamp>,
}

/// An app that has instances without a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which app.
    pub app: AppName,
    /// From whom.
    pub provider: Provider,
    /// How large.
    pub size: Option<String>,
    /// How many machines it waits for.
    pub waiting: usize,
}

/// What may be made, and for how long it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// At most so many machines of elastic providers at once.
    pub machines: usize,
    /// At most so much an hour for all of them, in the provider's currency; `None` is no limit.
    pub hourly: Option<f64>,
    /// What a machine costs an hour, by size; `None` while nobody has said so yet.
    pub prices: Option<BTreeMap<String, f64>>,
    /// The size of a machine whose app names none.
    pub size: String,
    /// How long a machine that was made for an app is kept after its last instance.
    pub idle: Duration,
    /// How long its provider may take to make one, and its agent to call then.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let (hourly, prices, size) = (None, None, String::new());
        Self { machines: 0, hourly, prices, size, idle: IDLE, deadline: DEADLINE }
    }
}

/// All that a decision about machines rests on.
#[derive(Clone, Copy, Debug)]
pub struct Yard<'a> {
    /// Every document.
    pub machines: &'a BTreeMap<MachineName, Machine>,
    /// What is known of each besides.
    pub sights: &'a BTreeMap<MachineName, Sight>,
    /// What each elastic provider has, as far as it answered lately.
    pub given: &'a BTreeMap<Provider, Lists>,
    /// Providers that refuse the whole account, or did.
    pub refused: &'a BTreeMap<Provider, Refused>,
    /// Apps that wait.
    pub needs: &'a [Need],
    /// Apps whose machines are configured by a playbook.
    pub playbooks: &'a [Configures],
    /// What may be made, and for how long it is kept.
    pub limits: &'a Limits,
    /// Endings for new names, none of them used before.
    pub fresh: &'a [String],
    /// The time.
    pub now: Timestamp,
}

/// One machine's next document, and what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The document.
    pub machine: Machine,
    /// What happened, with its numbers.
    pub event: Event,
}

/// What should become so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Documents that change, or are new.
    pub steps: Vec<Step>,
    /// What stands in the way of something; said once by whoever carries this out.
    pub held: Vec<Held>,
}

/// What stands in the way of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The app that waits; `None` where it concerns all of them.
    pub app: Option<AppName>,
    /// Why, with what to do.
    pub why: String,
}

/// Says what should become so.
#[must_use]
pub fn decide(yard: Yard<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let vanished = go::vanished(yard, &mut verdict);
    for (name, machine) in yard.machines {
        let sight = yard.sights.get(name).copied().unwrap_or_default();
        let step = come::ready(machine, sight, yard.now)
            .or_else(|| go::lost(machine, sight, vanished.contains(name), yard.now))
            .or_else(|| come::too_late(machine, yard))
            .or_else(|| playbook::hopeless(machine, sight, yard.now))
            .or_else(|| go::leaving(machine, sight, yard));
        verdict.steps.extend(step);
    }
    make::missing(yard, &mut verdict);
    verdict
}

/// A machine in another phase.
fn step(
    machine: &Machine,
    phase: MachinePhase,
    (kind, text): (EventKind, String),
    facts: &Value,
    now: Timestamp,
) -> Step {
    let mut next = machine.clone();
    next.phase = phase;
    next.since = now;
    next.trouble = None;
    let event = event(&next, kind, text, facts, now);
    Step { machine: next, event }
}

fn event(machine: &Machine, kind: EventKind, text: String, facts: &Value, now: Timestamp) -> Event {
    let mut all = json!({ "machine": machine.name, "provider": machine.provider });
    if let (Some(all), Some(facts)) = (all.as_object_mut(), facts.as_object()) {
        all.extend(facts.clone());
    }
    Event {
        rev: 0,
        at: now,
        app: machine.app.clone(),
        kind,
        subject: Subject::Machine(machine.name.clone()),
        cause: None,
        actor: crate::draft::TOEHOLD.to_owned(),
        text,
        facts: all,
    }
}

#[cfg(test)]
mod tests;

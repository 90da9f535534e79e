//! What a decision rests on, and what it is: the words between those who look, those who decide
//! and those who carry out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{
    App, Event, Instance, InstanceId, InstancePhase, InstanceStatus, MachineName, Number, Provider,
    Release,
};
use crate::time::Timestamp;

/// The releases of an app that a decision may need: every one that an instance runs, stable's,
/// the canary's and the good ones.
pub type Releases = BTreeMap<Number, Release>;

/// What was seen of one app. All of it may be lost and is seen again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What the agents say, by instance. An instance that is not here was not heard of.
    pub instances: BTreeMap<InstanceId, InstanceStatus>,
    /// The machines the app may use or has used, by name. One that is not here is gone.
    pub machines: BTreeMap<MachineName, MachineSeen>,
    /// What the proxy says; `None` while it is away.
    pub proxy: Option<ProxySeen>,
}

impl Seen {
    /// Whether an instance can take requests, as far as its agent says: it is healthy, it has an
    /// address, and it runs the release it should. A machine that runs something else than it was
    /// told counts as not having it.
    #[must_use]
    pub fn serves(&self, instance: &Instance) -> bool {
        self.instances.get(&instance.id).is_some_and(|status| {
            status.healthy && status.addr.is_some() && status.release == instance.release
        })
    }

    /// Whether what is said of an instance, or not said, is to be believed: the agent of its machine
    /// is heard, or its machine is gone and nobody can be. Only then does an absent instance mean
    /// that it is gone.
    #[must_use]
    pub fn hears(&self, instance: &Instance) -> bool {
        let machine = instance.place.as_ref().and_then(|place| self.machines.get(&place.machine));
        machine.is_none_or(|machine| machine.heard || machine.is_lost())
    }

    /// Whether the machine of an instance is gone, and the instance with it.
    #[must_use]
    pub fn has_lost_its_machine(&self, instance: &Instance) -> bool {
        let Some(place) = &instance.place else { return false };
        self.machines.get(&place.machine).is_none_or(MachineSeen::is_lost)
    }

    /// Whether it is known that no agent has this instance.
    #[must_use]
    pub fn is_gone(&self, instance: &Instance) -> bool {
        instance.place.is_some()
            && self.hears(instance)
            && !self.instances.contains_key(&instance.id)
    }

    /// Whether any agent is heard: with none, the control plane has only just begun, or is cut off.
    #[must_use]
    pub fn hears_any(&self) -> bool {
        self.machines.values().any(|machine| machine.heard)
    }

    /// Whether an agent says that an instance cannot be started.
    #[must_use]
    pub fn has_failed(&self, instance: &Instance) -> bool {
        let status = self.instances.get(&instance.id);
        status.is_some_and(|status| matches!(status.phase, InstancePhase::Failed { .. }))
    }

    /// Requests in flight at an instance, as the proxy says; 0 while it is away.
    #[must_use]
    pub fn in_flight(&self, id: &InstanceId) -> u64 {
        self.proxy.as_ref().and_then(|proxy| proxy.in_flight.get(id)).copied().unwrap_or(0)
    }

    /// Whether the proxy has set an instance aside because it failed.
    #[must_use]
    pub fn is_set_aside(&self, id: &InstanceId) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.set_aside.contains(id))
    }
}

/// What may be done with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes instances of this app.
    Open,
    /// It keeps what it has.
    Closed,
    /// What runs there is to leave.
    Emptying,
    /// It was given up: whatever ran there is gone.
    Lost,
}

/// What is known of a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineSeen {
    /// Who gives it.
    pub provider: Provider,
    /// Whether its agent was heard from since the control plane started and within the last ten
    /// seconds.
    pub heard: bool,
    /// What may be done with it.
    pub standing: Standing,
    /// Whether the app's playbook was run there.
    pub is_configured: bool,
    /// How many instances of other apps it has.
    pub others: usize,
}

impl MachineSeen {
    /// The machine Toehold runs on.
    #[must_use]
    pub const fn local(heard: bool) -> Self {
        Self {
            provider: Provider::Local,
            heard,
            standing: Standing::Open,
            is_configured: true,
            others: 0,
        }
    }

    /// Whether it was given up: whatever ran there is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.standing == Standing::Lost
    }

    /// Whether what runs there is to leave.
    #[must_use]
    pub fn empties(&self) -> bool {
        self.standing == Standing::Emptying
    }
}

/// What the proxy says about one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxySeen {
    /// [`crate::model::Route::rev`] in force.
    pub applied_rev: u64,
    /// Requests in flight, by instance; absent is none. Counted when `applied_rev` was in force
    /// or later, never before.
    pub in_flight: BTreeMap<InstanceId, u64>,
    /// Instances it has set aside because they failed.
    pub set_aside: BTreeSet<InstanceId>,
}

/// What should become so, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The app's next document.
    pub app: App,
    /// Releases whose verdict changed: became good, or bad with a reason.
    pub releases: Vec<Release>,
    /// What changed, in order, each with its reason and numbers; empty exactly where nothing did.
    ///
    /// They are in causal order. A decision cannot know which revision the store will give its
    /// events, so whoever stores them links each one that has no `cause` to the revision of the
    /// one before it in the same decision.
    pub events: Vec<Event>,
}

/// Everything a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The app as it stands in the store.
    pub app: &'a App,
    /// Its releases.
    pub releases: &'a Releases,
    /// What was seen of it.
    pub seen: &'a Seen,
    /// The time.
    pub now: Timestamp,
}

/// What was watched over time. It lives in the control plane's memory and begins anew with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Since when the agents have been heard without a gap; `None` while they are not.
    pub since: Option<Timestamp>,
    /// Instances that do not serve, and since when.
    pub unwell: BTreeMap<InstanceId, Timestamp>,
}

impl Heard {
    /// How long it has been possible to see how something went that began at `start`; `None` while
    /// nobody is heard. Whoever had no chance to report is not blamed for having said nothing.
    #[must_use]
    pub fn watched(&self, start: Timestamp, now: Timestamp) -> Option<Duration> {
        // A start in the future means that the clock was set back since: then nothing is known of
        // it, and only the watching counts.
        let start = if start > now { Timestamp::default() } else { start };
        self.since.map(|since| now.since(since.max(start)))
    }
}

//! The one call the control loop makes: state and observation in, a decision with its reasons out.
//!
//! A decision is complete (ids included), so that whoever carries it out has no choice left to
//! make. Carrying it out is one step of the store: the app's next document and the events that say
//! what changed are written together or not at all, and agents and proxy are then told the whole of
//! what is now wished.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{App, Event, InstanceId, InstanceStatus, Number, Release};
use crate::time::Timestamp;

/// The releases of an app that a decision may need: every one that an instance runs, stable's,
/// the canary's and the good ones.
pub type Releases = BTreeMap<Number, Release>;

/// What was seen of one app. All of it may be lost and is seen again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What the agents say, by instance. An instance that is not here was not heard of.
    pub instances: BTreeMap<InstanceId, InstanceStatus>,
    /// Whether the agents' machines were heard from since the control plane started and within the
    /// last ten seconds: only then does an absent instance mean that it is gone.
    pub agents_heard: bool,
    /// What the proxy says; `None` while it is away.
    pub proxy: Option<ProxySeen>,
}

/// What the proxy says about one app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxySeen {
    /// [`crate::model::Route::rev`] in force.
    pub applied_rev: u64,
    /// Requests in flight, by instance; absent is none.
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

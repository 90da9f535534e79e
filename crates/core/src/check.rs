//! What must hold of every decision, written by someone who does not trust the one who made it.
//!
//! Nothing in here calls the planner: each rule is read off the two documents and what was seen. A
//! decision that breaks one is not carried out; somebody is called instead.

mod counts;
mod endings;
mod routes;

use std::fmt;

use crate::model::{Alert, App, Goal, Instance, InstanceId, Track};
use crate::situation::{Seen, Situation};

/// What a decision must never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Never route to nobody.
    NeverToNobody,
    /// Never route to an instance that is not wished to run that release on that track.
    NeverToStrangers,
    /// Never add a target that does not say that it serves, or that listens elsewhere.
    NeverToTheUnproven,
    /// Never leave an app without a route that had one.
    NeverWithoutRoute,
    /// Never let a release serve everyone before all its instances serve.
    AllOrNothing,
    /// Never end what requests may still reach.
    NeverEndTheReached,
    /// Never drain the last stable instance that serves.
    NeverDrainTheLastStable,
    /// Never forget an instance that may still run.
    NeverForgetTheLiving,
    /// Never leave stable at zero.
    NeverStableAtZero,
    /// Never give the canary more than was asked for.
    CanaryAtMostWhatWasAsked,
    /// An alert on the canary means that everyone gets stable.
    AlertMeansAllStable,
    /// Numbers are never used twice, and instances never change what they are.
    NumbersGrow,
    /// Never let an instance change its machine.
    NeverMoved,
    /// Never put an instance on a machine that does not take it.
    NeverOnAClosedMachine,
    /// The route's revision grows by one with each change, and only then.
    RevisionGrows,
    /// The number of instances stays within its limits.
    WithinLimits,
    /// One alert for one rule on one instance, and no more kept than is said.
    AlertsAreOrderly,
}

/// A rule a decision breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How, with names and numbers.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// The two documents and what was seen, for the rules.
struct Case<'a> {
    before: &'a App,
    next: &'a App,
    situation: Situation<'a>,
    found: Vec<Violation>,
}

impl Case<'_> {
    fn found(&mut self, rule: Rule, what: impl Into<String>) {
        self.found.push(Violation { rule, what: what.into() });
    }

    const fn seen(&self) -> &Seen {
        self.situation.seen
    }

    fn was(&self, id: &InstanceId) -> Option<&Instance> {
        self.before.instances.iter().find(|instance| instance.id == *id)
    }

    fn will_be(&self, id: &InstanceId) -> Option<&Instance> {
        self.next.instances.iter().find(|instance| instance.id == *id)
    }

    /// Whether the agent of an instance's machine is heard, or the machine is gone.
    fn is_heard(&self, instance: &Instance) -> bool {
        let Some(place) = &instance.place else { return true };
        match self.seen().machines.get(&place.machine) {
            Some(machine) => machine.heard || machine.is_lost(),
            None => true,
        }
    }

    /// Whether the agent says of an instance that it serves what it should.
    fn serves(&self, instance: &Instance) -> bool {
        self.seen().instances.get(&instance.id).is_some_and(|status| {
            status.healthy && status.release == instance.release && status.addr.is_some()
        })
    }
}

/// Every rule that going from `before` to `next` breaks, in what was seen; none for a good
/// decision.
#[must_use]
pub fn check(before: &App, next: &App, situation: Situation<'_>) -> Vec<Violation> {
    let mut case = Case { before, next, situation, found: Vec::new() };
    routes::targets(&mut case);
    routes::never_without(&mut case);
    routes::all_or_nothing(&mut case);
    routes::canary_share(&mut case);
    routes::revision(&mut case);
    endings::goals(&mut case);
    endings::forgotten(&mut case);
    endings::last_stable(&mut case);
    counts::numbers(&mut case);
    counts::limits(&mut case);
    counts::alerts(&mut case);
    case.found
}

/// The alerts that stand on the canary as it runs.
fn standing(app: &App) -> impl Iterator<Item = &Alert> {
    let release = app.rollout.as_ref().map(|rollout| rollout.release);
    let runs = move |id: &InstanceId| {
        app.instances.iter().any(|instance| {
            instance.id == *id
                && instance.track == Track::Canary
                && Some(instance.release) == release
                && matches!(instance.goal, Goal::Run)
        })
    };
    let tried = |alert: &Alert| {
        alert.track == Track::Canary
            && app
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.release == alert.release && rollout.phase.runs())
    };
    app.alerts.iter().filter(move |alert| {
        alert.is_raised() && alert.instance().map_or_else(|| tried(alert), &runs)
    })
}

#[cfg(test)]
mod tests;

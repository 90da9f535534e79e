//! Rules about what ends.

use super::{Case, Rule};
use crate::model::{App, Goal, Instance, InstanceId, InstancePhase, Track};

fn is_routed(app: &App, id: &InstanceId) -> bool {
    app.route.arms.iter().flat_map(|arm| &arm.targets).any(|target| target.instance == *id)
}

/// Nothing ends that requests may still reach, and nothing comes back from its end.
pub(super) fn goals(case: &mut Case<'_>) {
    for next in &case.next.instances {
        let name = next.id.short();
        if next.goal != Goal::Run && is_routed(case.next, &next.id) {
            case.found(
                Rule::NeverEndTheReached,
                format!("{name} is {:?} and routed to", next.goal),
            );
        }
        let was = case.was(&next.id).map(|instance| instance.goal);
        match (was, next.goal) {
            (Some(Goal::Stop), Goal::Run | Goal::Drain { .. }) => {
                case.found(Rule::NumbersGrow, format!("{name} comes back from its end"));
            }
            (None, Goal::Stop | Goal::Drain { .. }) => {
                case.found(Rule::NeverEndTheReached, format!("{name} ends before it began"));
            }
            (Some(Goal::Run | Goal::Drain { .. }), Goal::Stop) => may_stop(case, next),
            (Some(Goal::Stop), Goal::Stop)
            | (Some(Goal::Run | Goal::Drain { .. }) | None, Goal::Run)
            | (Some(Goal::Run | Goal::Drain { .. }), Goal::Drain { .. }) => {}
        }
    }
}

/// The proxy has a route without it in force and nothing in flight there, or its time is over.
fn may_stop(case: &mut Case<'_>, next: &Instance) {
    let is_over = match case.was(&next.id).map(|instance| instance.goal) {
        Some(Goal::Drain { until }) => until <= case.situation.now,
        Some(Goal::Run | Goal::Stop) | None => false,
    };
    let is_out = !is_routed(case.before, &next.id)
        && case.seen().proxy.as_ref().is_some_and(|proxy| {
            proxy.applied_rev >= case.before.route.rev
                && proxy.in_flight.get(&next.id).copied().unwrap_or(0) == 0
        });
    if !is_over && !is_out {
        case.found(Rule::NeverEndTheReached, format!("{} may have requests", next.id.short()));
    }
}

/// Only what an agent says has ended is forgotten.
pub(super) fn forgotten(case: &mut Case<'_>) {
    for before in &case.before.instances {
        if case.will_be(&before.id).is_some() {
            continue;
        }
        let has_ended = case.seen().instances.get(&before.id).is_none_or(|status| {
            matches!(status.phase, InstancePhase::Stopped | InstancePhase::Failed { .. })
        });
        if before.goal != Goal::Stop || !case.is_heard(before) || !has_ended {
            let what = format!("{} was {:?}", before.id.short(), before.goal);
            case.found(Rule::NeverForgetTheLiving, what);
        }
    }
}

/// Somebody goes on serving everyone.
pub(super) fn last_stable(case: &mut Case<'_>) {
    let Some(serving) = case.before.serving() else { return };
    let Some(next) = case.next.serving().filter(|_| case.next.stable.is_some()) else {
        return case.found(Rule::NeverStableAtZero, format!("{serving} served, and nothing does"));
    };
    let stable = |app: &App, release| -> Vec<Instance> {
        let wanted = |it: &&Instance| {
            it.track == Track::Stable && it.release == release && it.goal == Goal::Run
        };
        app.instances.iter().filter(wanted).cloned().collect()
    };
    let (had, has) = (stable(case.before, serving), stable(case.next, next));
    if has.is_empty() {
        case.found(Rule::NeverStableAtZero, format!("no instance of {next} is left to run"));
    }
    if had.iter().any(|it| case.serves(it)) && !has.iter().any(|it| case.serves(it)) {
        case.found(Rule::NeverDrainTheLastStable, format!("none of {next} that is left serves"));
    }
}

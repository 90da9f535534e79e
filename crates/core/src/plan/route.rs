//! Who gets which release.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use super::keep::kept;
use crate::alert::on_canary;
use crate::draft::Draft;
use crate::model::{
    Arm, EventKind, Goal, Instance, InstanceId, InstancePhase, Number, RolloutPhase, Split,
    Subject, Target, Track,
};

/// Brings the route up to date. Its revision grows by one where, and only where, an arm changes.
pub fn route(draft: &mut Draft<'_>) {
    let arms = arms(draft);
    if arms == draft.app.route.arms {
        return;
    }
    let (why, said) = (reason(draft, &arms), words(&arms));
    let before = std::mem::replace(&mut draft.app.route.arms, arms);
    draft.app.route.rev += 1;
    let rev = draft.app.route.rev;
    let facts = json!({ "rev": rev, "before": before, "arms": draft.app.route.arms });
    draft.say(EventKind::RouteChanged, Subject::App, format!("route {said}: {why}"), facts);
}

fn arms(draft: &Draft<'_>) -> Vec<Arm> {
    let Some(serving) = draft.app.serving() else { return Vec::new() };
    let kept = kept(draft);
    let targets = stable_targets(draft, serving, &kept);
    let stable = if targets.is_empty() {
        // Nobody could be reached by any other route either.
        draft.app.route.arms.iter().find(|arm| arm.track == Track::Stable).cloned()
    } else {
        Some(Arm { track: Track::Stable, release: serving, weight: 1, targets })
    };
    // A canary never serves alone: without stable there would be nobody to go back to.
    let Some(stable) = stable else { return Vec::new() };
    let canary = canary(draft, &kept);
    let split = canary.as_ref().map_or(Split::ALL_STABLE, |(split, ..)| *split);
    let mut arms = vec![Arm { weight: split.stable(), ..stable }];
    if let Some((split, release, targets)) = canary {
        arms.push(Arm { track: Track::Canary, release, weight: split.canary(), targets });
    }
    arms
}

/// The canary's share, while it may have one and somebody is there to serve it.
fn canary(draft: &Draft<'_>, kept: &BTreeSet<InstanceId>) -> Option<(Split, Number, Vec<Target>)> {
    let rollout = draft.app.rollout.as_ref()?;
    let is_up = rollout.phase.takes_traffic() && rollout.phase != RolloutPhase::Starting;
    if !is_up || rollout.split.canary() == 0 || on_canary(&draft.app).next().is_some() {
        return None;
    }
    let targets = serving_targets(draft, Track::Canary, rollout.release, kept);
    (!targets.is_empty()).then_some((rollout.split, rollout.release, targets))
}

/// Stable's targets: those that serve; where none does, those that may come round, so that nobody
/// is turned away who could be served after all; where nobody knows any, whoever had it before.
fn stable_targets(draft: &Draft<'_>, release: Number, kept: &BTreeSet<InstanceId>) -> Vec<Target> {
    let serving = serving_targets(draft, Track::Stable, release, kept);
    if !serving.is_empty() {
        return serving;
    }
    let running: Vec<&Instance> = draft
        .running(Track::Stable, release)
        .filter(|instance| kept.contains(&instance.id))
        .collect();
    let living: Vec<Target> = running
        .iter()
        .filter(|instance| may_live(draft, instance))
        .filter_map(|instance| target(draft, instance))
        .collect();
    if !living.is_empty() {
        return living;
    }
    running.iter().filter_map(|instance| target_before(draft, &instance.id)).collect()
}

fn serving_targets(
    draft: &Draft<'_>,
    track: Track,
    release: Number,
    kept: &BTreeSet<InstanceId>,
) -> Vec<Target> {
    draft
        .running(track, release)
        .filter(|instance| kept.contains(&instance.id) && serves_or_did(draft, instance))
        .filter_map(|instance| target(draft, instance))
        .collect()
}

/// Whether an instance serves. Of one that nobody spoke of lately, what was last known holds: an
/// agent that is away says nothing about the app.
///
/// One that the proxy has set aside stays a target: the proxy passes it over by itself, and its
/// probes of it, which end when it leaves the route, are what brings it back.
fn serves_or_did(draft: &Draft<'_>, instance: &Instance) -> bool {
    match draft.status(instance) {
        Some(_) => draft.seen().serves(instance),
        None => !draft.seen().hears(instance) && target_before(draft, &instance.id).is_some(),
    }
}

/// Whether a process may be there that has been healthy, though it does not say so now. One that
/// never was is not routed to, whatever happens.
fn may_live(draft: &Draft<'_>, instance: &Instance) -> bool {
    match draft.status(instance) {
        None => !draft.seen().hears(instance),
        Some(status) => match status.phase {
            InstancePhase::Starting | InstancePhase::Running | InstancePhase::Stopping => {
                status.release == instance.release && status.healthy_since.is_some()
            }
            InstancePhase::Backoff { .. }
            | InstancePhase::Stopped
            | InstancePhase::Failed { .. } => false,
        },
    }
}

/// Where an instance listens, or did.
fn target(draft: &Draft<'_>, instance: &Instance) -> Option<Target> {
    match draft.status(instance).and_then(|status| status.addr) {
        Some(addr) => Some(Target { instance: instance.id.clone(), addr }),
        None => target_before(draft, &instance.id),
    }
}

fn target_before(draft: &Draft<'_>, id: &InstanceId) -> Option<Target> {
    let mut targets = draft.app.route.arms.iter().flat_map(|arm| &arm.targets);
    targets.find(|target| target.instance == *id).cloned()
}

/// Why the arms become these: the first difference that matters to a visitor.
fn reason(draft: &Draft<'_>, next: &[Arm]) -> String {
    let of = |arms: &[Arm], track: Track| arms.iter().find(|arm| arm.track == track).cloned();
    let before = &draft.app.route.arms;
    let (was, is) = (of(before, Track::Stable), of(next, Track::Stable));
    if was.as_ref().map(|arm| arm.release) != is.as_ref().map(|arm| arm.release) {
        return is.map_or_else(
            || "nothing serves".to_owned(),
            |arm| format!("release {} serves everyone", arm.release),
        );
    }
    let weight = |arm: &Option<Arm>| arm.as_ref().map(|arm| arm.weight);
    let stable_weight_changed = weight(&was) != weight(&is);
    match (of(before, Track::Canary), of(next, Track::Canary)) {
        (None, Some(arm)) => format!("canary {} takes its share", arm.release),
        (Some(arm), None) => canary_left(draft, arm.release),
        (Some(was), Some(is)) if was.release != is.release => {
            format!("canary {} takes its share", is.release)
        }
        (Some(was), Some(is)) if was.weight != is.weight || stable_weight_changed => {
            format!("canary {} takes another share", is.release)
        }
        _ => "who can serve has changed".to_owned(),
    }
}

fn canary_left(draft: &Draft<'_>, release: Number) -> String {
    let rollout = draft.app.rollout.as_ref().filter(|rollout| rollout.release == release);
    match rollout.map(|rollout| &rollout.phase) {
        Some(RolloutPhase::Held { why, .. } | RolloutPhase::Aborted { why }) => why.clone(),
        Some(RolloutPhase::Promoted) => format!("canary {release} became stable"),
        Some(_) => format!("canary {release} has nobody to serve"),
        None => format!("another canary takes the place of {release}"),
    }
}

/// `stable:canary 2:1 (#4 web.1 web.2, #5 web.3)`.
fn words(arms: &[Arm]) -> String {
    let weight = |track| arms.iter().find(|arm| arm.track == track).map_or(0, |arm| arm.weight);
    let mut said = format!("stable:canary {}:{}", weight(Track::Stable), weight(Track::Canary));
    for (at, arm) in arms.iter().enumerate() {
        let names: Vec<String> = arm.targets.iter().map(|it| it.instance.short()).collect();
        let before = if at == 0 { " (" } else { ", " };
        // Writing to a text cannot fail.
        let _ = write!(said, "{before}{} {}", arm.release, names.join(" "));
    }
    if !arms.is_empty() {
        said.push(')');
    }
    said
}

/// Whether a running instance is in a route.
pub(super) fn is_routed(draft: &Draft<'_>, instance: &Instance) -> bool {
    instance.goal == Goal::Run && target_before(draft, &instance.id).is_some()
}

//! Rules about who gets which release.

use super::{Case, Rule, standing};
use crate::model::{App, Arm, Goal, Target, Track};

fn arm(app: &App, track: Track) -> Option<&Arm> {
    app.route.arms.iter().find(|arm| arm.track == track)
}

fn all_targets(app: &App) -> impl Iterator<Item = &Target> {
    app.route.arms.iter().flat_map(|arm| &arm.targets)
}

/// Somebody is there, and it is who it should be.
pub(super) fn targets(case: &mut Case<'_>) {
    let arms = case.next.route.arms.clone();
    if !arms.is_empty() && arms.iter().all(|arm| arm.weight == 0) {
        case.found(Rule::NeverToNobody, "no arm has any weight");
    }
    let tracks: Vec<Track> = arms.iter().map(|arm| arm.track).collect();
    if !matches!(tracks[..], [] | [Track::Stable] | [Track::Stable, Track::Canary]) {
        case.found(Rule::NeverToStrangers, format!("the arms are {tracks:?}"));
    }
    for arm in &arms {
        if arm.targets.is_empty() {
            case.found(Rule::NeverToNobody, format!("{} {} has no target", arm.track, arm.release));
        }
        for target in &arm.targets {
            is_who_it_should_be(case, arm, target);
        }
    }
}

fn is_who_it_should_be(case: &mut Case<'_>, arm: &Arm, target: &Target) {
    let name = target.instance.short();
    let Some(instance) = case.will_be(&target.instance).cloned() else {
        return case.found(Rule::NeverToStrangers, format!("{name} does not exist"));
    };
    if instance.goal != Goal::Run || instance.release != arm.release || instance.track != arm.track
    {
        let what = format!(
            "{name} is a {:?} {} {} in the arm of {} {}",
            instance.goal, instance.track, instance.release, arm.track, arm.release
        );
        case.found(Rule::NeverToStrangers, what);
    }
    if all_targets(case.before).any(|before| before == target) {
        return;
    }
    let says = case.seen().instances.get(&target.instance);
    let listens = says.and_then(|status| status.addr) == Some(target.addr);
    // Where nobody serves, one that did since it was started is better than none.
    let did = says.is_some_and(|status| status.healthy_since.is_some());
    let is_last_resort = did && !arm.targets.iter().any(|other| serves(case, other));
    let moved = all_targets(case.before).any(|before| before.instance == target.instance);
    if !listens || !(moved || case.serves(&instance) || is_last_resort) {
        case.found(Rule::NeverToTheUnproven, format!("{name} at {}", target.addr));
    }
}

fn serves(case: &Case<'_>, target: &Target) -> bool {
    case.will_be(&target.instance).is_some_and(|instance| case.serves(instance))
}

/// What had a route keeps one.
pub(super) fn never_without(case: &mut Case<'_>) {
    let had = arm(case.before, Track::Stable).is_some();
    if had && arm(case.next, Track::Stable).is_none() {
        case.found(Rule::NeverWithoutRoute, "stable had a route and has none now");
    }
    let has_canary = arm(case.next, Track::Canary).is_some();
    if has_canary && arm(case.next, Track::Stable).is_none() {
        case.found(Rule::NeverWithoutRoute, "a canary is routed to without stable beside it");
    }
}

/// Stable's arm changes its release only to one whose instances all serve.
pub(super) fn all_or_nothing(case: &mut Case<'_>) {
    let Some(next) = arm(case.next, Track::Stable).cloned() else { return };
    if case.next.serving() != Some(next.release) {
        let what = format!("stable routes {} but {:?} serves", next.release, case.next.serving());
        case.found(Rule::AllOrNothing, what);
    }
    if arm(case.before, Track::Stable).is_some_and(|before| before.release == next.release) {
        return;
    }
    let healthy = case
        .next
        .instances
        .iter()
        .filter(|it| it.track == Track::Stable && it.release == next.release)
        .filter(|it| it.goal == Goal::Run && case.serves(it) && case.is_heard(it))
        .count();
    if healthy < case.next.scale.wanted as usize {
        let what = format!("{} has {healthy} of {}", next.release, case.next.scale.wanted);
        case.found(Rule::AllOrNothing, what);
    }
}

/// The canary gets at most its share, and none while an alert stands on it.
pub(super) fn canary_share(case: &mut Case<'_>) {
    let Some(canary) = arm(case.next, Track::Canary).filter(|arm| arm.weight > 0).cloned() else {
        return;
    };
    let total: u32 = case.next.route.arms.iter().map(|arm| arm.weight).sum();
    let given = f64::from(canary.weight) / f64::from(total);
    let asked = case
        .next
        .rollout
        .as_ref()
        .filter(|it| it.release == canary.release && it.phase.takes_traffic())
        .map(|rollout| rollout.split.canary_share());
    if asked.is_none_or(|asked| given > asked + 1e-9) {
        let what = format!("{} gets {given:.4}, asked were {asked:?}", canary.release);
        case.found(Rule::CanaryAtMostWhatWasAsked, what);
    }
    let alert = standing(case.next).next().map(|alert| alert.id);
    if let Some(id) = alert {
        case.found(Rule::AlertMeansAllStable, format!("alert/{id} stands on {}", canary.release));
    }
}

/// The proxy can tell a newer route from an older one.
pub(super) fn revision(case: &mut Case<'_>) {
    let (before, next) = (&case.before.route, &case.next.route);
    let expected = before.rev + u64::from(before.arms != next.arms);
    if next.rev != expected {
        let what = format!("from {} to {}, not {expected}", before.rev, next.rev);
        case.found(Rule::RevisionGrows, what);
    }
}

//! Rules about numbers.

use std::collections::BTreeSet;

use super::{Case, Rule};
use crate::model::{App, Basis, Instance, ScaleMode};
use crate::situation::Standing;

/// Instances are numbered upwards, and stay what they are.
pub(super) fn numbers(case: &mut Case<'_>) {
    let ordinals: Vec<u64> = case.next.instances.iter().map(|it| it.id.ordinal()).collect();
    if !ordinals.is_sorted_by(|a, b| a < b) {
        case.found(Rule::NumbersGrow, format!("instances are numbered {ordinals:?}"));
    }
    for next in &case.next.instances {
        let name = next.id.short();
        let is_in_range =
            (case.before.next_instance..case.next.next_instance).contains(&next.id.ordinal());
        match case.was(&next.id) {
            None if !is_in_range => {
                case.found(Rule::NumbersGrow, format!("{name} was not the next"));
            }
            Some(was)
                if (was.release, was.track, was.created_at)
                    != (next.release, next.track, next.created_at) =>
            {
                case.found(Rule::NumbersGrow, format!("{name} became another instance"));
            }
            Some(was) if was.place.is_some() && was.place != next.place => {
                case.found(Rule::NeverMoved, format!("{name} was put on another machine"));
            }
            Some(was) if was.place.is_some() => {}
            Some(_) | None => may_be_there(case, next),
        }
    }
    if case.next.next_instance < case.before.next_instance
        || case.next.next_number < case.before.next_number
        || case.next.name != case.before.name
    {
        case.found(Rule::NumbersGrow, "a count went back, or the app has another name");
    }
}

/// A machine that is given an instance takes one, and is of the kind its release asks for.
fn may_be_there(case: &mut Case<'_>, next: &Instance) {
    let Some(place) = &next.place else { return };
    let Some(spec) = case.situation.releases.get(&next.release).map(|it| &it.spec.machines) else {
        return;
    };
    let may = case.seen().machines.get(&place.machine).is_some_and(|machine| {
        machine.provider == spec.provider
            && machine.standing == Standing::Open
            && (spec.playbook.is_none() || machine.is_configured)
    });
    if !may {
        let what = format!("{} is put on {}", next.id.short(), place.machine);
        case.found(Rule::NeverOnAClosedMachine, what);
    }
}

/// The wished number is at least one, and automatic changes stay within the configuration.
pub(super) fn limits(case: &mut Case<'_>) {
    let (before, next) = (&case.before.scale, &case.next.scale);
    if next.wanted == 0 {
        case.found(Rule::WithinLimits, "no instance is wished");
    }
    // By the configuration of the release that serves; of the first while it comes up.
    let wished = case.next.stable.as_ref().map(|stable| stable.release);
    let release = case.before.serving().or(wished);
    let spec = release.and_then(|it| case.situation.releases.get(&it)).map(|it| &it.spec.scale);
    if let (ScaleMode::Auto, Some(spec)) = (next.mode, spec)
        && next.wanted != before.wanted
        && !(spec.min.max(1)..=spec.max.max(spec.min).max(1)).contains(&next.wanted)
    {
        let what = format!("{} of {}..={}", next.wanted, spec.min, spec.max);
        case.found(Rule::WithinLimits, what);
    }
    if case.next.good.len() > App::GOOD_KEPT {
        let what = format!("{} good releases are remembered", case.next.good.len());
        case.found(Rule::WithinLimits, what);
    }
}

/// Alerts are told apart.
pub(super) fn alerts(case: &mut Case<'_>) {
    let ids: Vec<u64> = case.next.alerts.iter().map(|alert| alert.id).collect();
    if !ids.is_sorted_by(|a, b| a < b) {
        case.found(Rule::AlertsAreOrderly, format!("alerts are numbered {ids:?}"));
    }
    let raised = case.next.alerts.iter().filter(|alert| alert.is_raised());
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = raised
        .filter(|alert| match &alert.basis {
            Basis::Measured(it) => !seen.insert((it.instance.to_string(), alert.rule.clone())),
            Basis::Outside(it) => !seen.insert((String::new(), it.fingerprint.clone())),
        })
        .map(|alert| format!("{} twice", alert.about()))
        .collect();
    for what in twice {
        case.found(Rule::AlertsAreOrderly, what);
    }
}

//! What was decided, in words: `hold v2; route 1:0 v1(1 2); drain 3`. What the agents say of the
//! instances is left out: scenes have no before for it.

use std::fmt::Write as _;

use crate::model::{
    Arm, Event, EventKind, Instance, MachineName, Number, RolloutPhase, Subject, Track,
};
use crate::situation::Decision;

pub(crate) fn said(decision: &Decision) -> String {
    let decided = |event: &&Event| {
        !matches!(
            event.kind,
            EventKind::InstanceHealthy | EventKind::InstanceUnhealthy | EventKind::InstanceDied
        )
    };
    let parts: Vec<String> =
        decision.events.iter().filter(decided).map(|it| event(it, decision)).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

/// Nothing of the machine Toehold runs on: there, every instance is where it should be.
fn place(instance: &Instance) -> String {
    match &instance.place {
        Some(place) if place.machine == MachineName::local() => String::new(),
        Some(place) => format!(" on {}", place.machine),
        None => " nowhere".to_owned(),
    }
}

fn event(event: &Event, decision: &Decision) -> String {
    let of = match &event.subject {
        Subject::Instance(id) => id.ordinal().to_string(),
        Subject::Release(Number(number)) | Subject::Rollout(Number(number)) => {
            format!("v{number}")
        }
        Subject::Alert(id) => id.to_string(),
        Subject::App | Subject::Flag(_) | Subject::Machine(_) | Subject::Toehold => String::new(),
    };
    let verb = match event.kind {
        EventKind::RouteChanged => return route(&decision.app.route.arms),
        EventKind::ScaledOut | EventKind::ScaledIn | EventKind::ScaleSet => {
            return format!("scale {}", decision.app.scale.wanted);
        }
        EventKind::InstanceLaunched => {
            let made = decision
                .app
                .instances
                .iter()
                .find(|it| Subject::Instance(it.id.clone()) == event.subject);
            let made = made.map(|it| format!(" {} v{}{}", it.track, it.release.0, place(it)));
            return format!("launch {of}{}", made.unwrap_or_default());
        }
        EventKind::InstancePlaced => {
            let mut all = decision.app.instances.iter();
            let placed = all.find(|it| Subject::Instance(it.id.clone()) == event.subject);
            return format!("place {of}{}", placed.map(place).unwrap_or_default());
        }
        EventKind::RolloutSplit => {
            let split = decision.app.rollout.as_ref().map(|rollout| rollout.split.to_string());
            return format!("split {of} {}", split.unwrap_or_default());
        }
        EventKind::RolloutRetried => {
            let is_up =
                decision.app.rollout.as_ref().is_some_and(|it| it.phase == RolloutPhase::Serving);
            return format!("retry {of}{}", if is_up { "" } else { " when healthy" });
        }
        EventKind::InstanceDraining => "drain",
        EventKind::InstanceStopping => "stop",
        EventKind::InstanceGone => "forget",
        EventKind::DeployStarted => "deploy",
        EventKind::DeployDone => "done",
        EventKind::DeployFailed => "failed",
        EventKind::RollbackStarted => "rollback",
        EventKind::RolloutStarted => "canary",
        EventKind::RolloutHeld => "hold",
        EventKind::RolloutAborted => "abort",
        EventKind::RolloutPromoting => "promote",
        EventKind::RolloutPromoted => "promoted",
        EventKind::RolloutPaused => "pause",
        EventKind::RolloutResumed => "resume",
        EventKind::Pinned => "pin",
        EventKind::Unpinned => "unpin",
        EventKind::AlertRaised => "raise",
        EventKind::AlertCleared => "clear",
        EventKind::AlertAcknowledged => "ack",
        other => other.as_str(),
    };
    format!("{verb} {of}").trim_end().to_owned()
}

fn route(arms: &[Arm]) -> String {
    let weight = |track| arms.iter().find(|arm| arm.track == track).map_or(0, |arm| arm.weight);
    let mut said = format!("route {}:{}", weight(Track::Stable), weight(Track::Canary));
    for arm in arms {
        let ordinals: Vec<String> =
            arm.targets.iter().map(|it| it.instance.ordinal().to_string()).collect();
        // Writing to a text cannot fail.
        let _ = write!(said, " v{}({})", arm.release.0, ordinals.join(" "));
    }
    said
}

//! Machines that come up.

use std::time::Duration;

use serde_json::json;

use super::{Sight, Step, Yard, step};
use crate::model::{EventKind, Machine, MachinePhase};
use crate::tell;
use crate::time::Timestamp;

/// An agent that was heard within this time is there.
pub(super) const HEARD: Duration = Duration::from_secs(10);

/// So long may a machine take until its provider has made it, and again until its agent calls,
/// unless the operator says otherwise ([`Limits::deadline`](super::Limits::deadline)).
pub const DEADLINE: Duration = Duration::from_mins(10);

/// A machine whose agent calls takes instances.
pub(super) fn ready(machine: &Machine, sight: Sight, now: Timestamp) -> Option<Step> {
    let comes = match &machine.phase {
        MachinePhase::Wanted | MachinePhase::Ready | MachinePhase::Leaving | MachinePhase::Gone => {
            false
        }
        // One that was made and given up is being given back.
        MachinePhase::Failed { .. } => !machine.provider.is_elastic(),
        MachinePhase::Bringing | MachinePhase::Lost { .. } => true,
    };
    if !comes || sight.silent.is_none_or(|silent| silent >= HEARD) {
        return None;
    }
    let name = &machine.name;
    let took = now.since(machine.since);
    let text = match &machine.phase {
        MachinePhase::Lost { .. } => {
            format!("{name} is back after {}", tell::duration(took))
        }
        _ => format!("{name} is ready: its agent called after {}", tell::duration(took)),
    };
    let facts = json!({ "took_ms": took.as_millis() });
    Some(step(machine, MachinePhase::Ready, (EventKind::MachineReady, text), &facts, now))
}

/// One that does not come up is given up.
pub(super) fn too_late(machine: &Machine, yard: Yard<'_>) -> Option<Step> {
    let (now, deadline) = (yard.now, yard.limits.deadline);
    let waits = match &machine.phase {
        MachinePhase::Wanted if machine.provider_id.is_some() => {
            "its provider began to make it and did not have it ready"
        }
        MachinePhase::Wanted => "its provider did not make it",
        MachinePhase::Bringing => "its agent did not call",
        MachinePhase::Ready
        | MachinePhase::Lost { .. }
        | MachinePhase::Failed { .. }
        | MachinePhase::Leaving
        | MachinePhase::Gone => return None,
    };
    // It is not the machine's fault where the whole account is refused.
    let refused = yard.refused.get(&machine.provider).filter(|_| machine.provider_id.is_none());
    let from = refused.map_or(machine.since, |it| machine.since.max(it.ended_at.unwrap_or(now)));
    // A machine that is there already may be repaired by its owner, however long that takes.
    if !machine.provider.is_elastic() || now.since(from) < deadline {
        return None;
    }
    let last = machine.trouble.as_ref().map_or_else(String::new, |it| format!("; last: {it}"));
    let why = format!("{waits} within {}{last}", tell::duration(deadline));
    Some(failed(machine, why, now))
}

/// It could not be had.
pub(super) fn failed(machine: &Machine, why: String, now: Timestamp) -> Step {
    // One that is there already is somebody's; what was made for us is not paid for any longer.
    let is_made = machine.provider.is_elastic() && machine.provider_id.is_some();
    let next = if is_made { "; it is given back" } else { "" };
    let text = format!("{} failed: {why}{next}", machine.name);
    let facts = json!({ "why": why });
    step(machine, MachinePhase::Failed { why }, (EventKind::MachineFailed, text), &facts, now)
}

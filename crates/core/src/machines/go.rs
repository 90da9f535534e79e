//! Machines that go: by themselves, or because nobody needs them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Held, Sight, Step, Verdict, Yard, step};
use crate::model::{EventKind, Machine, MachineGoal, MachineName, MachinePhase};
use crate::tell;
use crate::time::Timestamp;

/// An agent may be silent for so long, while the proxy does not reach the instances either, before
/// its machine is given up. While the proxy reaches them, all goes on as it is.
pub const LOST_AFTER: Duration = Duration::from_mins(1);

/// A machine without instances, of which nothing was heard for so long, is of no use.
const USELESS_AFTER: Duration = Duration::from_mins(5);

/// A machine that was made for an app is kept for so long after its last instance, unless the
/// operator says otherwise ([`Limits::idle`](super::Limits::idle)): the next deploy may want it.
pub const IDLE: Duration = Duration::from_mins(2);

/// A machine that could not be had is remembered for so long, so that it is not tried for ever.
pub(super) const REMEMBERED: Duration = Duration::from_hours(1);

/// The machines whose provider has them no more: two lists, one after the other, say so. Where half of them, and at least two, vanish
/// together, the provider is not believed: then nothing is done before a person has looked.
pub(super) fn vanished(yard: Yard<'_>, verdict: &mut Verdict) -> BTreeSet<MachineName> {
    let mut all = BTreeSet::new();
    for (provider, lists) in yard.given {
        let known = yard.machines.values().filter(|it| {
            it.provider == *provider
                && it.phase == MachinePhase::Ready
                && it.provider_id.is_some()
                && it.since < lists.last.asked_at
        });
        let (gone, there): (Vec<&Machine>, Vec<&Machine>) =
            known.partition(|it| lists.both_miss(it));
        let is_believed = gone.len() < 2 || gone.len() < there.len();
        if is_believed {
            all.extend(gone.iter().map(|it| it.name.clone()));
            continue;
        }
        // What a person says of one of them holds all the same.
        let meant = gone.iter().filter(|it| it.goal == MachineGoal::Remove);
        all.extend(meant.map(|it| it.name.clone()));
        let names: Vec<&str> = gone.iter().map(|it| it.name.as_str()).collect();
        let why = format!(
            "{provider} says that {} of {} machines are not there any more ({}): nothing is done \
             about it; look, and where it is true say `toehold machines rm NAME`",
            gone.len(),
            gone.len() + there.len(),
            names.join(", "),
        );
        verdict.held.push(Held { app: None, why });
    }
    all
}

/// A machine that was ready and is not there any more.
pub(super) fn lost(
    machine: &Machine,
    sight: Sight,
    has_vanished: bool,
    now: Timestamp,
) -> Option<Step> {
    if machine.phase != MachinePhase::Ready {
        return None;
    }
    let silent = sight.silent.unwrap_or(sight.watched).min(sight.watched);
    let why = if has_vanished {
        format!("{} does not have it any more", machine.provider)
    } else if silent >= LOST_AFTER && sight.is_cut_off {
        let silent = tell::duration(silent);
        format!("its agent has said nothing for {silent}, and the proxy reaches nothing on it")
    } else if silent >= LOST_AFTER && machine.goal == MachineGoal::Remove {
        format!("its agent has said nothing for {}, and it is to go", tell::duration(silent))
    } else if silent >= USELESS_AFTER && sight.instances == 0 {
        format!("its agent has said nothing for {}", tell::duration(silent))
    } else {
        return None;
    };
    let text = format!("{} is lost: {why}; what ran there is replaced", machine.name);
    let facts = json!({ "silent_ms": silent.as_millis(), "instances": sight.instances });
    Some(step(machine, MachinePhase::Lost { why }, (EventKind::MachineLost, text), &facts, now))
}

/// A machine that nobody needs and that is to go, or that was made for what is not there any more.
pub(super) fn leaving(machine: &Machine, sight: Sight, yard: Yard<'_>) -> Option<Step> {
    let is_wanted = yard.needs.iter().any(|need| machine.app.as_ref() == Some(&need.app));
    let is_ours = machine.provider.is_elastic();
    let why = match (&machine.phase, machine.goal) {
        (MachinePhase::Leaving | MachinePhase::Gone, _) => return None,
        _ if sight.instances > 0 => return None,
        (_, MachineGoal::Remove) => "it is empty and was to go".to_owned(),
        (MachinePhase::Lost { .. }, _) if is_ours => "it is lost".to_owned(),
        (MachinePhase::Failed { .. }, _)
            if is_ours && yard.now.since(machine.since) >= REMEMBERED =>
        {
            "it failed".to_owned()
        }
        (MachinePhase::Ready, MachineGoal::Run)
            if is_ours
                && machine.app.is_some()
                && !is_wanted
                && sight.empty >= yard.limits.idle =>
        {
            format!("it has had no instance for {}", tell::duration(sight.empty))
        }
        _ => return None,
    };
    let text = format!("{} is given back: {why}", machine.name);
    let facts = json!({ "why": why });
    let leaving = (EventKind::MachineLeaving, text);
    Some(step(machine, MachinePhase::Leaving, leaving, &facts, yard.now))
}

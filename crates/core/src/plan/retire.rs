//! Instances that have served what they had: they end, and are forgotten.

use serde_json::json;

use crate::draft::Draft;
use crate::model::{EventKind, Goal, Instance, InstanceId, InstancePhase, Subject};
use crate::tell;
use crate::time::Timestamp;

/// Ends every instance that is drained: the proxy sends it nothing and waits for nothing from it,
/// or its time is over.
pub(super) fn drained(draft: &mut Draft<'_>) {
    let ending: Vec<(InstanceId, String)> = draft
        .app
        .instances
        .iter()
        .filter_map(|instance| match instance.goal {
            Goal::Drain { until } => Some((instance.id.clone(), may_end(draft, instance, until)?)),
            Goal::Run | Goal::Stop => None,
        })
        .collect();
    for (id, why) in ending {
        if let Some(instance) = draft.app.instances.iter_mut().find(|it| it.id == id) {
            instance.goal = Goal::Stop;
        }
        let in_flight = draft.seen().in_flight(&id);
        let text = format!("{} is told to end: {why}", id.short());
        let facts = json!({ "in_flight": in_flight });
        draft.say(EventKind::InstanceStopping, Subject::Instance(id), text, facts);
    }
}

fn may_end(draft: &Draft<'_>, instance: &Instance, until: Timestamp) -> Option<String> {
    let in_flight = draft.seen().in_flight(&instance.id);
    let is_out =
        draft.seen().proxy.as_ref().is_some_and(|proxy| proxy.applied_rev >= draft.app.route.rev);
    if is_out && in_flight == 0 {
        return Some("no request is left".to_owned());
    }
    if draft.now() < until {
        return None;
    }
    Some(match &draft.seen().proxy {
        Some(_) => format!("its time is over, with {}", tell::count(in_flight, "request")),
        None => "its time is over, and the proxy is away".to_owned(),
    })
}

/// Forgets every instance that has ended. Done before anything else is told to end: what is seen was
/// said by an agent that cannot know of that yet.
pub(super) fn forget(draft: &mut Draft<'_>) {
    let gone: Vec<InstanceId> = draft
        .app
        .instances
        .iter()
        .filter(|instance| instance.goal == Goal::Stop && has_ended(draft, instance))
        .map(|instance| instance.id.clone())
        .collect();
    for id in gone {
        draft.app.instances.retain(|instance| instance.id != id);
        let exit = draft.seen().instances.get(&id).and_then(|status| status.last_exit.clone());
        let how = exit.as_ref().map_or_else(String::new, |exit| format!(": {}", exit.how));
        let text = format!("{} has ended{how}", id.short());
        let facts = json!({ "exit": exit });
        draft.say(EventKind::InstanceGone, Subject::Instance(id), text, facts);
    }
}

/// Only an agent that was heard can say that there is nothing left.
fn has_ended(draft: &Draft<'_>, instance: &Instance) -> bool {
    let seen = draft.seen();
    seen.hears(instance)
        && seen.instances.get(&instance.id).is_none_or(|status| {
            matches!(status.phase, InstancePhase::Stopped | InstancePhase::Failed { .. })
        })
}

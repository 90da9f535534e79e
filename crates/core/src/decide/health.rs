//! What the agents say of instances, as events.

use std::collections::BTreeMap;

use serde_json::json;

use crate::draft::Draft;
use crate::model::{EventKind, Goal, Instance, InstanceId, InstancePhase, InstanceStatus, Subject};
use crate::tell;

/// What was last said of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    serves: bool,
    /// How often it has died: each restart was a death, and so is what waits for the next one.
    deaths: u32,
}

/// Says which instances became healthy, became unhealthy or died since the last look.
///
/// With a memory that has just begun (`is_first_look`), what is seen is taken as known: it was said
/// before, or nobody was there to see it happen.
pub(super) fn note(
    draft: &mut Draft<'_>,
    noted: &mut BTreeMap<InstanceId, Noted>,
    is_first_look: bool,
) {
    let instances = draft.app.instances.clone();
    noted.retain(|id, _| instances.iter().any(|instance| instance.id == *id));
    for instance in &instances {
        let Some(status) = draft.status(instance) else {
            noted.entry(instance.id.clone()).or_default();
            continue;
        };
        let now = Noted { serves: draft.seen().serves(instance), deaths: status.deaths() };
        let before = match noted.insert(instance.id.clone(), now) {
            Some(before) => before,
            None if is_first_look => continue,
            None => Noted::default(),
        };
        if instance.goal == Goal::Run {
            say(draft, instance, status, before, now);
        }
    }
}

fn say(
    draft: &mut Draft<'_>,
    instance: &Instance,
    status: &InstanceStatus,
    before: Noted,
    now: Noted,
) {
    let subject = Subject::Instance(instance.id.clone());
    let name = format!("{} ({} {})", instance.id.short(), instance.track, instance.release);
    if now.deaths > before.deaths {
        let how = match (&status.phase, &status.last_exit) {
            (InstancePhase::Failed { why }, _) => format!("{name} cannot be started: {why}"),
            (_, Some(exit)) => format!("{name} died: {}", exit.how),
            (_, None) => format!("{name} died"),
        };
        let facts = json!({ "restarts": status.restarts, "exit": status.last_exit });
        draft.say(EventKind::InstanceDied, subject.clone(), how, facts);
    } else if before.serves && !now.serves {
        let answer = status.evidence.as_ref().map_or("", |probe| probe.answer.as_str());
        let text = format!("{name} does not answer its health check: {answer}");
        let facts = json!({ "evidence": status.evidence });
        draft.say(EventKind::InstanceUnhealthy, subject.clone(), text, facts);
    }
    if now.serves && !before.serves {
        let took = match (status.started_at, status.healthy_since) {
            (Some(started), Some(healthy)) => Some(healthy.since(started)),
            _ => None,
        };
        let after = took.map_or_else(String::new, |it| format!(" after {}", tell::duration(it)));
        let answer = status
            .evidence
            .as_ref()
            .map_or_else(String::new, |probe| format!(" ({}: {})", probe.asked, probe.answer));
        let text = format!("{name} is healthy{after}{answer}");
        let facts = json!({
            "took_ms": took.map(|took| took.as_millis()),
            "evidence": status.evidence,
        });
        draft.say(EventKind::InstanceHealthy, subject, text, facts);
    }
}

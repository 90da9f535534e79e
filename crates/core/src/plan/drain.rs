//! Instances nobody wants any more.

use std::time::Duration;

use serde_json::json;

use super::DRAIN;
use super::keep::kept;
use super::route::is_routed;
use crate::draft::Draft;
use crate::model::{EventKind, Goal, Number, Subject};
use crate::tell;

/// Lets every running instance that is neither wanted nor in the route serve what it has begun.
pub(super) fn unwanted(draft: &mut Draft<'_>) {
    let kept = kept(draft);
    let going: Vec<_> = draft
        .app
        .instances
        .iter()
        .filter(|it| it.goal == Goal::Run && !kept.contains(&it.id) && !is_routed(draft, it))
        .map(|it| (it.id.clone(), it.release, it.track))
        .collect();
    for (id, release, track) in going {
        let time = drain_time(draft, release);
        let until = draft.now().plus(time);
        let in_flight = draft.seen().in_flight(&id);
        if let Some(instance) = draft.app.instances.iter_mut().find(|it| it.id == id) {
            instance.goal = Goal::Drain { until };
        }
        let text = format!(
            "{} ({track} {release}) gets no new requests, and {} for the {in_flight} it has",
            id.short(),
            tell::duration(time),
        );
        let facts = json!({ "in_flight": in_flight, "until": until, "release": release });
        draft.say(EventKind::InstanceDraining, Subject::Instance(id), text, facts);
    }
}

/// How long an instance of a release is drained at most.
pub(super) fn drain_time(draft: &Draft<'_>, release: Number) -> Duration {
    draft.spec(release).map_or(DRAIN, |spec| spec.proxy.drain)
}

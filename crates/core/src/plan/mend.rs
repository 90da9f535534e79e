//! What a clock that was set back would make wait for ever.

use std::time::Duration;

use serde_json::json;

use super::drain::drain_time;
use crate::draft::Draft;
use crate::model::{EventKind, Goal, Subject};

/// A deadline may lie so far beyond what was given before the clock counts as set back.
const SLACK: Duration = Duration::from_mins(1);

/// Gives an instance whose deadline lies further off than any drain takes its time anew.
pub(super) fn clock(draft: &mut Draft<'_>) {
    let now = draft.now();
    let astray: Vec<_> = draft
        .app
        .instances
        .iter()
        .filter_map(|instance| match instance.goal {
            Goal::Drain { until } => {
                let time = drain_time(draft, instance.release);
                (until > now.plus(time + SLACK)).then(|| (instance.id.clone(), now.plus(time)))
            }
            Goal::Run | Goal::Stop => None,
        })
        .collect();
    for (id, until) in astray {
        if let Some(instance) = draft.app.instances.iter_mut().find(|it| it.id == id) {
            instance.goal = Goal::Drain { until };
        }
        let text = format!("the clock was set back: {} gets its time to drain anew", id.short());
        let facts = json!({ "until": until });
        draft.say(EventKind::InstanceDraining, Subject::Instance(id), text, facts);
    }
}

//! Instances that are missing.

use serde_json::json;

use super::keep::{is_lost, wanted};
use crate::draft::Draft;
use crate::model::{EventKind, Goal, Instance, InstanceId, Number, Subject, Track};

/// Asks for every instance that is missing. One of the same release that is still being drained is
/// taken back first: going back to it is then a matter of the next request.
pub(super) fn missing(draft: &mut Draft<'_>) {
    for ((track, release), count) in wanted(draft) {
        // Without its configuration nobody could start it.
        if draft.spec(release).is_none() {
            continue;
        }
        let have = draft.running(track, release).filter(|it| !is_lost(draft, it)).count();
        for _ in have..count {
            if !take_back(draft, track, release) {
                launch(draft, track, release);
            }
        }
    }
}

/// Only stable's are taken back: a canary that was given up is tried again from the beginning.
fn take_back(draft: &mut Draft<'_>, track: Track, release: Number) -> bool {
    let seen = draft.seen();
    let found = draft.app.instances.iter_mut().rev().find(|instance| {
        matches!(instance.goal, Goal::Drain { .. })
            && instance.track == track
            && track == Track::Stable
            && instance.release == release
            && seen.serves(instance)
    });
    let Some(instance) = found else { return false };
    instance.goal = Goal::Run;
    let id = instance.id.clone();
    let text = format!("{} ({track} {release}) is wanted again and stays", id.short());
    let facts = json!({ "release": release, "track": track });
    draft.say(EventKind::InstanceLaunched, Subject::Instance(id), text, facts);
    true
}

fn launch(draft: &mut Draft<'_>, track: Track, release: Number) {
    let id = InstanceId::new(draft.app.name.clone(), draft.app.next_instance);
    draft.app.next_instance += 1;
    draft.app.instances.push(Instance {
        id: id.clone(),
        release,
        track,
        goal: Goal::Run,
        created_at: draft.now(),
    });
    let text = format!("{} is started with {release} ({track})", id.short());
    let facts = json!({ "release": release, "track": track });
    draft.say(EventKind::InstanceLaunched, Subject::Instance(id), text, facts);
}

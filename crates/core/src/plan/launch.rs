//! Instances that are missing: taken back where they are still there, started where not.

use serde_json::json;

use super::keep::{is_lost, wanted};
use super::place;
use crate::draft::Draft;
use crate::model::{EventKind, Goal, Instance, InstanceId, MachineName, Number, Subject, Track};

/// Takes back what is missing and still being drained: going back to a release that has just been
/// left is then a matter of the next request. Only stable's: a canary that was given up is tried
/// again from the beginning.
pub(super) fn take_back(draft: &mut Draft<'_>) {
    for ((track, release), count) in wanted(draft) {
        if track == Track::Canary {
            continue;
        }
        let have = draft.running(track, release).count();
        for _ in have..count {
            take_one_back(draft, release);
        }
    }
}

fn take_one_back(draft: &mut Draft<'_>, release: Number) {
    let seen = draft.seen();
    let found = draft.app.instances.iter_mut().rev().find(|instance| {
        matches!(instance.goal, Goal::Drain { .. })
            && instance.track == Track::Stable
            && instance.release == release
            && seen.serves(instance)
    });
    let Some(instance) = found else { return };
    instance.goal = Goal::Run;
    let id = instance.id.clone();
    let text = format!("{} (stable {release}) is wanted again and stays", id.short());
    let facts = json!({ "release": release, "track": Track::Stable });
    draft.say(EventKind::InstanceLaunched, Subject::Instance(id), text, facts);
}

/// Asks for every instance that is missing.
pub(super) fn missing(draft: &mut Draft<'_>) {
    for ((track, release), count) in wanted(draft) {
        // Without its configuration nobody could start it.
        if draft.spec(release).is_none() {
            continue;
        }
        let have = draft.running(track, release).filter(|it| !is_lost(draft, it)).count();
        for _ in have..count {
            launch(draft, track, release);
        }
    }
}

fn launch(draft: &mut Draft<'_>, track: Track, release: Number) {
    let id = InstanceId::new(draft.app.name.clone(), draft.app.next_instance);
    let place = place::find(draft, track, release);
    let machine = place.as_ref().map(|place| place.machine.clone());
    draft.app.next_instance += 1;
    draft.app.instances.push(Instance {
        id: id.clone(),
        release,
        track,
        goal: Goal::Run,
        created_at: draft.now(),
        place,
    });
    let name = id.short();
    let text = match &machine {
        Some(machine) if *machine == MachineName::local() => {
            format!("{name} is started with {release} ({track})")
        }
        Some(machine) => format!("{name} is started on {machine} with {release} ({track})"),
        None => format!("{name} with {release} ({track}) waits for a machine"),
    };
    let facts = json!({ "release": release, "track": track, "machine": machine });
    draft.say(EventKind::InstanceLaunched, Subject::Instance(id), text, facts);
}

//! Which instances are wanted, of those that run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::draft::Draft;
use crate::model::{Instance, InstanceId, InstancePhase, Number, Track};
use crate::situation::MachineSeen;

/// An instance that cannot be started at all is replaced, but not sooner than this after it was
/// asked for, so that a machine that can start nothing is not asked all the time.
const REPLACED_AFTER: Duration = Duration::from_mins(1);

/// How many instances of which release are wanted on which track: stable's, both the one that
/// serves and the one that is to, and the canary's while it runs.
pub(super) fn wanted(draft: &Draft<'_>) -> BTreeMap<(Track, Number), usize> {
    let app = &draft.app;
    let mut wanted = BTreeMap::new();
    let wished = app.stable.as_ref().map(|stable| stable.release);
    for release in app.serving().into_iter().chain(wished) {
        wanted.insert((Track::Stable, release), app.scale.wanted.max(1) as usize);
    }
    if let Some(rollout) = app.rollout.as_ref().filter(|rollout| rollout.phase.runs()) {
        let count = draft.spec(rollout.release).map_or(1, |spec| spec.canary.instances.max(1));
        wanted.insert((Track::Canary, rollout.release), count as usize);
    }
    wanted
}

/// The running instances that are to stay, and those that take the place of one that is lost.
pub(super) fn kept(draft: &Draft<'_>) -> BTreeSet<InstanceId> {
    let mut kept = BTreeSet::new();
    for ((track, release), count) in wanted(draft) {
        let (lost, mut sound): (Vec<_>, Vec<_>) =
            draft.running(track, release).partition(|instance| is_lost(draft, instance));
        // Without the agents' word nobody knows who serves: everybody stays.
        let all_heard = sound.iter().all(|instance| draft.seen().hears(instance));
        let stays = if all_heard { count } else { sound.len() };
        sound.sort_by_key(|instance| worth(draft, instance));
        let (stay, _) = sound.split_at(stays.min(sound.len()));
        kept.extend(stay.iter().map(|instance| instance.id.clone()));
        let serving = stay.iter().filter(|instance| draft.seen().serves(instance)).count();
        if serving == 0 {
            kept.extend(lost.iter().map(|instance| instance.id.clone()));
        }
        // Whoever is to move goes on serving until somebody serves in its place.
        let moving = lost.iter().filter(|instance| draft.seen().serves(instance));
        kept.extend(moving.take(count.saturating_sub(serving)).map(|it| it.id.clone()));
    }
    kept
}

/// Whether an instance is lost and should be replaced: its machine is gone, or is to be emptied, or
/// it is one of the release that serves and cannot be started. A canary that cannot be started is
/// held, to be looked at; a release that is coming up is given up.
pub(super) fn is_lost(draft: &Draft<'_>, instance: &Instance) -> bool {
    if draft.seen().has_lost_its_machine(instance) || is_to_move(draft, instance) {
        return true;
    }
    let (made, now) = (instance.created_at, draft.now());
    // One that was made in the future was made before the clock was set back.
    let is_old = made > now || now.since(made) >= REPLACED_AFTER;
    is_old
        && instance.track == Track::Stable
        && draft.app.serving() == Some(instance.release)
        && draft
            .status(instance)
            .is_some_and(|status| matches!(status.phase, InstancePhase::Failed { .. }))
}

/// Whether the machine of an instance is to be emptied.
fn is_to_move(draft: &Draft<'_>, instance: &Instance) -> bool {
    let machine = instance.place.as_ref().and_then(|it| draft.seen().machines.get(&it.machine));
    machine.is_some_and(MachineSeen::empties)
}

/// Sorts who stays before who may go: those that serve, then the busier, then the older. So the one
/// that goes first is the newest with the fewest requests in flight, and never the last that serves.
fn worth(draft: &Draft<'_>, instance: &Instance) -> (bool, bool, std::cmp::Reverse<u64>, u64) {
    let seen = draft.seen();
    (
        !seen.serves(instance),
        seen.is_set_aside(&instance.id),
        std::cmp::Reverse(seen.in_flight(&instance.id)),
        instance.id.ordinal(),
    )
}

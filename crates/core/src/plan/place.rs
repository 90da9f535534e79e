//! Which machine an instance runs on.

use std::cmp::Reverse;

use serde_json::json;

use crate::draft::Draft;
use crate::model::{
    EventKind, Goal, Instance, InstanceId, MachineName, Number, Place, Provider, Subject, Track,
};
use crate::situation::{MachineSeen, Standing};

/// Finds a machine for each instance that waits for one.
pub(super) fn waiting(draft: &mut Draft<'_>) {
    let waits = |it: &&Instance| it.goal == Goal::Run && it.place.is_none();
    let waiting: Vec<(InstanceId, Track, Number)> = draft
        .app
        .instances
        .iter()
        .filter(waits)
        .map(|it| (it.id.clone(), it.track, it.release))
        .collect();
    for (id, track, release) in waiting {
        let Some(place) = find(draft, track, release) else { continue };
        let text = format!("{} runs on {}", id.short(), place.machine);
        let facts = json!({ "machine": place.machine, "release": release, "track": track });
        if let Some(instance) = draft.app.instances.iter_mut().find(|it| it.id == id) {
            instance.place = Some(place);
        }
        draft.say(EventKind::InstancePlaced, Subject::Instance(id), text, facts);
    }
}

/// The best place for one more instance of a release; `None` while there is none.
///
/// Instances are spread: a machine with none of the release before one with some, one without the
/// other track before one with it, a canary least of all beside stable, because its load would be
/// taken for theirs. Where machines are made as they are needed, none is shared that way at all.
pub(super) fn find(draft: &Draft<'_>, track: Track, release: Number) -> Option<Place> {
    let provider = draft.spec(release)?.machines.provider;
    let best = draft
        .seen()
        .machines
        .iter()
        .filter(|(name, seen)| takes(draft, release, name, seen))
        .map(|(name, seen)| (crowd(draft, name, seen, track, release), name))
        .filter(|(crowd, _)| !provider.is_elastic() || (!crowd.beside_other && crowd.same == 0))
        .min()?;
    Some(Place { machine: best.1.clone(), since: draft.now() })
}

fn takes(draft: &Draft<'_>, release: Number, name: &MachineName, seen: &MachineSeen) -> bool {
    let Some(spec) = draft.spec(release).map(|spec| &spec.machines) else { return false };
    let is_right = seen.provider == spec.provider && seen.standing == Standing::Open;
    // An agent of this very machine calls in a moment; of another one nobody knows.
    let is_there = spec.provider == Provider::Local || seen.heard;
    let is_ready = spec.playbook.is_none() || seen.is_configured;
    let has_failed = draft
        .app
        .instances
        .iter()
        .any(|it| it.release == release && is_on(it, name) && draft.seen().has_failed(it));
    is_right && is_there && is_ready && (spec.provider == Provider::Local || !has_failed)
}

/// How full a machine is, as far as it matters to the next instance: less is better.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Crowd {
    beside_other: bool,
    same: usize,
    all: usize,
    /// Of equals, the one whose agent has been heard.
    heard: Reverse<bool>,
}

fn crowd(
    draft: &Draft<'_>,
    name: &MachineName,
    seen: &MachineSeen,
    track: Track,
    release: Number,
) -> Crowd {
    let here = || draft.app.instances.iter().filter(|it| is_on(it, name));
    Crowd {
        beside_other: here().any(|it| it.track != track),
        same: here().filter(|it| it.release == release && it.goal == Goal::Run).count(),
        all: here().count() + seen.others,
        heard: Reverse(seen.heard),
    }
}

fn is_on(instance: &Instance, machine: &MachineName) -> bool {
    instance.place.as_ref().is_some_and(|place| place.machine == *machine)
}

#[cfg(test)]
mod tests;

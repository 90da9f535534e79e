//! A stable release that cannot come up: the one before goes on.

use serde_json::Value;

use crate::boot;
use crate::draft::Draft;
use crate::model::{EventKind, Number, ReleaseVerdict, RolloutPhase, Stable, Subject, Track};
use crate::rollout::abort;
use crate::situation::Heard;

/// Gives up a release that is to be stable and cannot come up, and goes back to the one that
/// serves. The very first has none to go back to.
pub(super) fn where_hopeless(draft: &mut Draft<'_>, heard: &Heard) {
    let Some(Stable { release, since }) = draft.app.stable.clone() else { return };
    let serving = draft.app.serving();
    if serving == Some(release) {
        return;
    }
    let Some(failure) = boot::failure(draft, Track::Stable, release, since, heard) else { return };
    draft.judge(release, ReleaseVerdict::Bad { why: failure.why.clone() });
    draft.app.good.retain(|good| *good != release);
    say_failed(draft, release, serving, &failure.why, failure.facts);
    give_up_canary(draft, release, serving);
    draft.app.stable = serving.map(|release| Stable { release, since: draft.now() });
    if let (Some(pin), Some(serving)) = (draft.app.pin.as_mut(), serving)
        && pin.release == release
    {
        pin.release = serving;
    }
}

fn say_failed(
    draft: &mut Draft<'_>,
    release: Number,
    serving: Option<Number>,
    why: &str,
    facts: Value,
) {
    let after = match serving {
        Some(serving) => format!("{serving} goes on serving everyone"),
        None => "it was the first, so nothing serves yet".to_owned(),
    };
    let text = format!("release {release} cannot serve: {why}; {after}");
    draft.say(EventKind::DeployFailed, Subject::Release(release), text, facts);
}

/// A canary cannot go on as what it was about to become, nor beside nothing.
fn give_up_canary(draft: &mut Draft<'_>, release: Number, serving: Option<Number>) {
    let Some(rollout) = draft.app.rollout.as_ref().filter(|it| it.phase.runs()) else { return };
    let why = if rollout.phase == RolloutPhase::Promoting && rollout.release == release {
        format!("as stable, {release} could not serve")
    } else if serving.is_none() {
        "there is no stable release to run beside".to_owned()
    } else {
        return;
    };
    abort(draft, &why, serde_json::json!({ "release": release }));
}

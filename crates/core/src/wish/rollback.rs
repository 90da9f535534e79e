//! An earlier release should serve everyone again.

use serde_json::json;

use super::deploy::another_chance;
use super::refusal::Refusal;
use crate::draft::Draft;
use crate::model::{EventKind, Number, Pin, ReleaseVerdict, RolloutPhase, Stable, Subject};
use crate::rollout;

/// Goes back, and holds automatic deploys until somebody lets them go on.
pub(super) fn rollback(draft: &mut Draft<'_>, to: Option<Number>) -> Result<(), Refusal> {
    let wished = draft.app.stable.as_ref().map(|stable| stable.release);
    let is_pinned = |release| draft.app.pin.as_ref().is_some_and(|pin| pin.release == release);
    let target = match (to, wished) {
        (Some(release), _) => good(draft, release)?,
        // Said twice: the first is still under way.
        (None, Some(wished)) if draft.app.serving() != Some(wished) && is_pinned(wished) => wished,
        (None, _) => {
            let kept = |good| draft.spec(good).is_some();
            draft.app.back_to(kept).ok_or(Refusal::NothingBefore)?
        }
    };
    if wished != Some(target) {
        give_up_promotion(draft);
        draft.app.stable = Some(Stable { release: target, since: draft.now() });
        another_chance(draft, target);
        let from = draft.app.serving().filter(|serving| *serving != target).or(wished);
        let text = match from {
            Some(from) => format!("back from {from} to {target}, with its configuration"),
            None => format!("back to {target}, with its configuration"),
        };
        let facts = json!({ "from": from, "to": target, "asked": to });
        draft.say(EventKind::RollbackStarted, Subject::Release(target), text, facts);
    }
    pin(draft, target);
    Ok(())
}

/// A release one may go back to.
fn good(draft: &Draft<'_>, release: Number) -> Result<Number, Refusal> {
    let known = draft.release(release).ok_or(Refusal::NoRelease { release })?;
    match &known.verdict {
        ReleaseVerdict::Good => Ok(release),
        ReleaseVerdict::Untried => {
            Err(Refusal::NotGood { release, why: "it has never served everyone".to_owned() })
        }
        ReleaseVerdict::Bad { why } => Err(Refusal::NotGood { release, why: why.clone() }),
    }
}

/// Going back while a canary becomes stable gives that canary up: that it should be stable is what
/// was taken back. A canary that just runs goes on.
fn give_up_promotion(draft: &mut Draft<'_>) {
    let is_promoting =
        draft.app.rollout.as_ref().is_some_and(|it| it.phase == RolloutPhase::Promoting);
    if is_promoting {
        let why = format!("{} rolls back", draft.actor());
        rollout::abort(draft, &why, json!({}));
    }
}

fn pin(draft: &mut Draft<'_>, release: Number) {
    if draft.app.pin.as_ref().is_some_and(|pin| pin.release == release) {
        return;
    }
    let by = draft.actor().to_owned();
    let text =
        format!("pushes are not deployed until `toehold unpin`: {by} went back to {release}");
    draft.app.pin = Some(Pin { release, by, at: draft.now() });
    draft.say(EventKind::Pinned, Subject::App, text, json!({ "release": release }));
}

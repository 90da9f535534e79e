//! A release whose instances all serve becomes the one that serves everyone.

use serde_json::json;

use crate::draft::Draft;
use crate::model::{App, EventKind, Number, ReleaseVerdict, RolloutPhase, Subject, Track};
use crate::tell;

/// Lets the release that is to be stable serve everyone, once every instance it should have says
/// that it is healthy and runs this very release.
pub(super) fn where_ready(draft: &mut Draft<'_>) {
    let Some(stable) = draft.app.stable.clone() else { return };
    let release = stable.release;
    if draft.app.serving() == Some(release) {
        return settle_canary(draft, release);
    }
    let wanted = draft.app.scale.wanted.max(1);
    // What was said by an agent that is away now is no ground for a switch.
    let healthy = draft
        .running(Track::Stable, release)
        .filter(|instance| draft.seen().hears(instance) && draft.seen().serves(instance))
        .count();
    if healthy < wanted as usize {
        return;
    }
    let before = draft.app.serving();
    remember(&mut draft.app, release);
    draft.judge(release, ReleaseVerdict::Good);
    let took = draft.now().since(stable.since);
    let text = format!(
        "release {release} serves everyone: {} healthy after {}",
        tell::count(wanted.into(), "instance"),
        tell::duration(took)
    );
    let facts = json!({ "instances": wanted, "before": before, "took_ms": took.as_millis() });
    draft.say(EventKind::DeployDone, Subject::Release(release), text, facts);
    settle_canary(draft, release);
}

/// Notes that a release serves everyone. After a rollback, what came later is forgotten, so that
/// the next rollback goes further back and not forward again.
fn remember(app: &mut App, release: Number) {
    let is_rollback = app.pin.as_ref().is_some_and(|pin| pin.release == release);
    match app.good.iter().position(|good| *good == release) {
        Some(at) if is_rollback => app.good.truncate(at + 1),
        Some(at) => {
            app.good.remove(at);
            app.good.push(release);
        }
        None => app.good.push(release),
    }
    let excess = app.good.len().saturating_sub(App::GOOD_KEPT);
    app.good.drain(..excess);
}

/// A canary of the release that serves everyone has come to its end, whichever way that came.
fn settle_canary(draft: &mut Draft<'_>, release: Number) {
    let now = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    if rollout.release != release || !rollout.phase.runs() {
        return;
    }
    rollout.phase = RolloutPhase::Promoted;
    let took = now.since(rollout.started_at);
    let text = format!("canary {release} became stable after {}", tell::duration(took));
    let facts = json!({ "took_ms": took.as_millis() });
    draft.say(EventKind::RolloutPromoted, Subject::Rollout(release), text, facts);
}

//! The changes a canary can go through, whoever asks for them.

use serde_json::{Value, json};

use super::{say_split, steps::share, subject};
use crate::alert::on_canary;
use crate::draft::Draft;
use crate::model::{EventKind, Number, RolloutPhase, Split, Stable, Track};

/// Whether every instance the canary should have serves.
pub(crate) fn all_healthy(draft: &Draft<'_>, release: Number) -> bool {
    let wished = draft.spec(release).map_or(1, |spec| spec.canary.instances.max(1));
    draft.count_serving(Track::Canary, release) >= wished as usize
}

/// Gives the canary its share.
pub(super) fn serve(draft: &mut Draft<'_>, release: Number) {
    let now = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    rollout.phase = RolloutPhase::Serving;
    rollout.step_since = now;
    let text = format!("canary {release} is healthy and takes {}", share(rollout.split));
    say_split(draft, text);
}

/// Takes all traffic back from the canary and keeps its instances to be looked at.
pub(crate) fn hold(draft: &mut Draft<'_>, alert: Option<u64>, why: String, facts: Value) {
    let since = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    let release = rollout.release;
    let text = format!("canary {release} gets no traffic any more: {why}");
    rollout.phase = RolloutPhase::Held { why, alert, since };
    draft.say(EventKind::RolloutHeld, subject(release), text, facts);
}

/// Gives the canary up. Where it was about to become stable, what serves stays.
pub(crate) fn abort(draft: &mut Draft<'_>, why: &str, facts: Value) {
    let now = draft.now();
    let serving = draft.app.serving();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    let release = rollout.release;
    let was_promoting = rollout.phase == RolloutPhase::Promoting;
    rollout.phase = RolloutPhase::Aborted { why: why.to_owned() };
    let mut text = format!("canary {release} ends: {why}");
    if was_promoting && draft.app.stable.as_ref().is_some_and(|stable| stable.release == release) {
        draft.app.stable = serving.map(|release| Stable { release, since: now });
        if let Some(serving) = serving {
            text = format!("{text}; {serving} stays stable");
        }
    }
    draft.say(EventKind::RolloutAborted, subject(release), text, facts);
}

/// Lets a held canary have its share again. Another alert that is still raised on it keeps it
/// held, now for that one.
pub(crate) fn give_back(draft: &mut Draft<'_>, why: &str) {
    let now = draft.now();
    let standing = on_canary(&draft.app).next().map(|alert| alert.id);
    let Some(release) = draft.app.rollout.as_ref().map(|rollout| rollout.release) else { return };
    let is_healthy = all_healthy(draft, release);
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    if let (RolloutPhase::Held { alert, .. }, Some(id)) = (&mut rollout.phase, standing) {
        *alert = Some(id);
        let text = format!("canary {release} stays without traffic: alert/{id} stands too");
        return draft.say(EventKind::RolloutHeld, subject(release), text, json!({ "alert": id }));
    }
    rollout.phase = if is_healthy { RolloutPhase::Serving } else { RolloutPhase::Starting };
    rollout.step_since = now;
    let split = rollout.split;
    let when = if is_healthy { "again" } else { "again when it is healthy" };
    let text = format!("canary {release} takes {} {when}: {why}", share(split));
    draft.say(EventKind::RolloutRetried, subject(release), text, split_facts(split));
}

/// Lets the canary become stable.
pub(crate) fn promote(draft: &mut Draft<'_>, why: &str) {
    let now = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    let release = rollout.release;
    rollout.phase = RolloutPhase::Promoting;
    let split = rollout.split;
    draft.app.stable = Some(Stable { release, since: now });
    let text = format!("canary {release} is to become stable: {why}");
    draft.say(EventKind::RolloutPromoting, subject(release), text, split_facts(split));
}

fn split_facts(split: Split) -> Value {
    json!({ "split": split, "share": split.canary_share() })
}

//! A release should serve on a track.

use serde_json::json;

use super::refusal::Refusal;
use crate::draft::Draft;
use crate::model::{EventKind, Number, ReleaseVerdict, Rollout, RolloutPhase, Stable, Subject};
use crate::rollout;

/// Lets a release serve everyone. A canary that runs goes on beside it; one of this very release
/// is promoted by it.
pub(super) fn stable(
    draft: &mut Draft<'_>,
    release: Number,
    automatic: bool,
) -> Result<(), Refusal> {
    let wished = draft.app.stable.as_ref().map(|stable| stable.release);
    if wished == Some(release) {
        return Ok(());
    }
    may_deploy(draft, release, automatic, wished)?;
    if is_promotion(draft, release) {
        let why = format!("{} deploys it", draft.actor());
        rollout::promote(draft, &why);
    } else {
        demote_promotion(draft, release);
        draft.app.stable = Some(Stable { release, since: draft.now() });
    }
    another_chance(draft, release);
    // A person who deploys by hand while pushes are held keeps them held, now at this release.
    if let Some(pin) = draft.app.pin.as_mut() {
        pin.release = release;
    }
    let before = draft.app.serving();
    let text = match before {
        Some(before) if before == release => format!("release {release} is to go on serving"),
        Some(before) => format!("release {release} is to serve everyone instead of {before}"),
        None => format!("release {release} is to serve everyone; it is the first"),
    };
    let facts = json!({ "before": before, "automatic": automatic });
    draft.say(EventKind::DeployStarted, Subject::Release(release), text, facts);
    Ok(())
}

/// Lets a release run beside stable, in place of any other canary.
pub(super) fn canary(
    draft: &mut Draft<'_>,
    release: Number,
    automatic: bool,
) -> Result<(), Refusal> {
    let running = draft.app.rollout.clone().filter(|rollout| rollout.phase.runs());
    if running.as_ref().is_some_and(|it| it.release == release) {
        return Ok(());
    }
    let wished = draft.app.stable.as_ref().map(|stable| stable.release);
    if wished == Some(release) || draft.app.serving() == Some(release) {
        return Err(Refusal::IsStable { release });
    }
    let there = draft.app.rollout.as_ref().map(|rollout| rollout.release);
    may_deploy(draft, release, automatic, there)?;
    if wished.is_none() {
        return Err(Refusal::NoStable { release });
    }
    if let Some(older) = &running {
        let why = format!("canary {release} takes its place");
        let text = format!("canary {} ends: {why}", older.release);
        let subject = Subject::Rollout(older.release);
        draft.say(EventKind::RolloutAborted, subject, text, json!({ "by": release }));
    }
    begin(draft, release, automatic);
    Ok(())
}

/// Begins a canary at its first share.
pub(super) fn begin(draft: &mut Draft<'_>, release: Number, automatic: bool) {
    let Some(spec) = draft.spec(release) else { return };
    let now = draft.now();
    let (split, step) = rollout::first_share(&spec.canary);
    draft.app.rollout = Some(Rollout {
        release,
        split,
        step,
        step_since: now,
        started_at: now,
        phase: RolloutPhase::Starting,
    });
    another_chance(draft, release);
    let beside = draft.app.stable.as_ref().map(|stable| stable.release);
    let text = format!(
        "canary {release} is started and is to take {} when it is healthy",
        rollout::share(split)
    );
    let facts = json!({ "split": split, "beside": beside, "automatic": automatic });
    draft.say(EventKind::RolloutStarted, Subject::Rollout(release), text, facts);
}

/// A push is refused while automatic deploys are held, and where a later push is already there: a
/// build that took longer does not bring back what was replaced. Nor does the same push, heard of
/// twice, bring back what was tried and given up since.
fn may_deploy(
    draft: &Draft<'_>,
    release: Number,
    automatic: bool,
    there: Option<Number>,
) -> Result<(), Refusal> {
    let spec = draft.spec(release).ok_or(Refusal::NoRelease { release })?;
    if spec.run.web.is_none() {
        return Err(Refusal::NoCommand { release });
    }
    if !automatic {
        return Ok(());
    }
    if let Some(pin) = &draft.app.pin {
        return Err(Refusal::Pinned { release: pin.release, by: pin.by.clone() });
    }
    if draft.release(release).is_some_and(|it| it.verdict != ReleaseVerdict::Untried) {
        return Err(Refusal::Tried { release });
    }
    match there {
        Some(newer) if newer > release => Err(Refusal::Older { release, newer }),
        Some(_) | None => Ok(()),
    }
}

/// Whether deploying a release means to promote the canary.
fn is_promotion(draft: &Draft<'_>, release: Number) -> bool {
    draft.app.rollout.as_ref().is_some_and(|rollout| {
        rollout.release == release
            && match rollout.phase {
                RolloutPhase::Serving | RolloutPhase::Paused => true,
                // One without traffic cannot keep its share until then.
                RolloutPhase::Starting
                | RolloutPhase::Held { .. }
                | RolloutPhase::Promoting
                | RolloutPhase::Promoted
                | RolloutPhase::Aborted { .. } => false,
            }
    })
}

/// A canary that was about to become stable goes on as a canary, when another release takes that
/// place.
fn demote_promotion(draft: &mut Draft<'_>, release: Number) {
    let now = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    if rollout.phase != RolloutPhase::Promoting || rollout.release == release {
        return;
    }
    rollout.phase = RolloutPhase::Serving;
    rollout.step_since = now;
    let canary = rollout.release;
    let text = format!("canary {canary} goes on as a canary: {release} is to become stable");
    draft.say(
        EventKind::RolloutResumed,
        Subject::Rollout(canary),
        text,
        json!({ "stable": release }),
    );
}

/// Whoever asks for a bad release again gives it another chance.
pub(super) fn another_chance(draft: &mut Draft<'_>, release: Number) {
    let verdict = draft.release(release).map(|release| release.verdict.clone());
    if matches!(verdict, Some(ReleaseVerdict::Bad { .. })) {
        draft.judge(release, ReleaseVerdict::Untried);
    }
}

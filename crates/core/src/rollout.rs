//! The canary: how far it is, and when its traffic is taken back.

mod change;
mod death;
mod steps;

pub(crate) use change::{abort, all_healthy, give_back, hold, promote};
pub use steps::{first_share, step_words};
pub(crate) use steps::{go_on, share};

use serde_json::json;

use crate::alert::on_canary;
use crate::boot;
use crate::draft::Draft;
use crate::model::{EventKind, Number, ReleaseVerdict, RolloutPhase, Subject, Track};
use crate::situation::Heard;
use crate::spec::Step;
use death::death;
use steps::next_step;

/// Moves the canary on as far as what was seen allows: forward by its steps, or back.
pub fn advance(draft: &mut Draft<'_>, heard: &Heard) {
    let Some(rollout) = &draft.app.rollout else { return };
    let release = rollout.release;
    match &rollout.phase {
        RolloutPhase::Starting => start(draft, release, heard),
        RolloutPhase::Serving | RolloutPhase::Paused => {
            if !hold_where_bad(draft, release, heard) {
                next_step(draft, heard);
            }
        }
        RolloutPhase::Promoting => give_up_promotion(draft, release, heard),
        // A held canary stays held, also when its alert clears by itself: without traffic every
        // bad canary looks healthy, and one that went on by itself would go back and forth for
        // ever. A person clears the alert, tries again, or pushes another canary.
        RolloutPhase::Held { .. } | RolloutPhase::Promoted | RolloutPhase::Aborted { .. } => {}
    }
}

/// From its first instance to its share.
fn start(draft: &mut Draft<'_>, release: Number, heard: &Heard) {
    if hold_for_alert(draft, release) {
        return;
    }
    let since = draft.app.rollout.as_ref().map_or(draft.now(), |rollout| rollout.step_since);
    if hears_all(draft, Track::Canary, release) && all_healthy(draft, release) {
        change::serve(draft, release);
    } else if let Some(failure) = boot::failure(draft, Track::Canary, release, since, heard) {
        draft.judge(release, ReleaseVerdict::Bad { why: failure.why.clone() });
        abort(draft, &failure.why, failure.facts);
    }
}

/// Whether what is said of every instance of a release is to be believed.
fn hears_all(draft: &Draft<'_>, track: Track, release: Number) -> bool {
    draft.running(track, release).all(|instance| draft.seen().hears(instance))
}

/// Takes the share back where an alert was raised or nobody is left to serve it.
fn hold_where_bad(draft: &mut Draft<'_>, release: Number, heard: &Heard) -> bool {
    if hold_for_alert(draft, release) {
        return true;
    }
    let Some(death) = death(draft, release, heard) else { return false };
    hold(draft, None, death.why, death.facts);
    true
}

fn hold_for_alert(draft: &mut Draft<'_>, release: Number) -> bool {
    let Some(alert) = on_canary(&draft.app).next().cloned() else { return false };
    let why = alert.finding();
    let measured = alert.measured();
    let facts = json!({
        "alert": alert.id,
        "value_percent": measured.map(|it| it.value),
        "above_percent": measured.map(|it| it.threshold),
        "release": release,
    });
    hold(draft, Some(alert.id), why, facts);
    true
}

/// An alert or a death while the canary becomes stable: giving it up wins, and the release that
/// still serves stays.
fn give_up_promotion(draft: &mut Draft<'_>, release: Number, heard: &Heard) {
    let alert = on_canary(&draft.app).next().cloned();
    let (why, facts) = match alert {
        Some(alert) => (alert.finding(), json!({ "alert": alert.id })),
        None => match death(draft, release, heard) {
            Some(death) => (death.why, death.facts),
            None => return,
        },
    };
    if draft.release(release).is_some_and(|it| it.verdict != ReleaseVerdict::Good) {
        draft.judge(release, ReleaseVerdict::Bad { why: why.clone() });
    }
    abort(draft, &why, facts);
}

/// Says which release a rollout is of, for the events about it.
fn subject(release: Number) -> Subject {
    Subject::Rollout(release)
}

/// Says that the canary takes a share.
fn say_split(draft: &mut Draft<'_>, text: String) {
    let Some(rollout) = &draft.app.rollout else { return };
    let (release, split, step) = (rollout.release, rollout.split, rollout.step);
    let steps = draft.spec(release).map_or(&[][..], |spec| &spec.canary.steps);
    // Nothing moves it on but a person.
    let waits = step.is_none_or(|at| at + 1 >= steps.len() || steps[at] == Step::Approve);
    let share = split.canary_share();
    let facts = json!({ "split": split, "share": share, "step": step, "waits": waits });
    draft.say(EventKind::RolloutSplit, subject(release), text, facts);
}

#[cfg(test)]
mod tests;

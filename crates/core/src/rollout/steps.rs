//! The steps of a canary: `5% for 2m`, `33% for 10m`, `approve`.

use std::time::Duration;

use super::{all_healthy, say_split};
use crate::draft::Draft;
use crate::model::{RolloutPhase, Split};
use crate::situation::Heard;
use crate::spec::{CanarySpec, Step};

/// The share a canary begins with, and the step it is at.
#[must_use]
pub fn first_share(spec: &CanarySpec) -> (Split, Option<usize>) {
    match spec.steps.first() {
        None => (spec.split, None),
        Some(Step::Share { split, .. }) => (*split, Some(0)),
        // Nobody gets it before somebody approves.
        Some(Step::Approve) => (Split::ALL_STABLE, Some(0)),
    }
}

/// Goes on to the next step where the time of this one is over.
pub(super) fn next_step(draft: &mut Draft<'_>, heard: &Heard) {
    let now = draft.now();
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    let (release, Some(at)) = (rollout.release, rollout.step) else { return };
    if rollout.step_since > now {
        rollout.step_since = now;
        let text = "the clock was set back: the step's time begins anew";
        return say_split(draft, text.to_owned());
    }
    let since = rollout.step_since;
    let is_paused = rollout.phase != RolloutPhase::Serving;
    let Some(spec) = draft.spec(release) else { return };
    let Some(Step::Share { hold, .. }) = spec.canary.steps.get(at) else { return };
    if is_paused || now.since(since) < *hold || at + 1 >= spec.canary.steps.len() {
        return;
    }
    // No data is no pass: a step ends only while the canary is seen to serve, and after a silence
    // not before the alerts had their window.
    let look = spec.alerts.iter().map(|rule| rule.window).max().unwrap_or(Duration::ZERO);
    let watched = heard.watched(since, now);
    if watched.is_none_or(|time| time < look.min(*hold)) || !all_healthy(draft, release) {
        return;
    }
    go_on(draft);
}

/// Goes on to the next step, whatever the time.
pub(crate) fn go_on(draft: &mut Draft<'_>) {
    let now = draft.now();
    let Some((release, Some(at))) = draft.app.rollout.as_ref().map(|it| (it.release, it.step))
    else {
        return;
    };
    let Some(next) = draft.spec(release).and_then(|spec| spec.canary.steps.get(at + 1)) else {
        return;
    };
    let Some(rollout) = draft.app.rollout.as_mut() else { return };
    rollout.step = Some(at + 1);
    rollout.step_since = now;
    let text = match next {
        Step::Share { split, hold } => {
            rollout.split = *split;
            format!("canary {release} takes {} for {}", share(*split), crate::tell::duration(*hold))
        }
        Step::Approve => {
            let split = rollout.split;
            format!("canary {release} stays at {} and waits for approval", share(split))
        }
    };
    say_split(draft, text);
}

/// A step in words: `33.3 % (2:1) for 10 min`, `approval`.
#[must_use]
pub fn step_words(step: &Step) -> String {
    match step {
        Step::Share { split, hold } => {
            format!("{} for {}", share(*split), crate::tell::duration(*hold))
        }
        Step::Approve => "approval".to_owned(),
    }
}

/// A share in words: `33.3 % (2:1)`.
pub(crate) fn share(split: Split) -> String {
    format!("{} ({split})", crate::tell::percent(split.canary_share() * 100.0))
}

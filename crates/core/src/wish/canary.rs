//! Wishes about the canary.

use serde_json::json;

use super::deploy::{another_chance, begin};
use super::refusal::Refusal;
use crate::alert::{clear, on_canary};
use crate::draft::Draft;
use crate::model::{
    Alert, EventKind, Goal, InstanceId, Number, ReleaseVerdict, Rollout, RolloutPhase, Split,
    Subject, Track,
};
use crate::rollout;
use crate::spec::Step;

/// Lets the canary become stable.
pub(super) fn promote(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let rollout = the_canary(draft, "promote")?;
    match rollout.phase {
        RolloutPhase::Serving | RolloutPhase::Paused => {
            if !rollout::all_healthy(draft, rollout.release) {
                return Err(wrong(&rollout, "promote", "not healthy"));
            }
            let why = format!("{} promotes it", draft.actor());
            rollout::promote(draft, &why);
            Ok(())
        }
        RolloutPhase::Promoting | RolloutPhase::Promoted => Ok(()),
        RolloutPhase::Starting | RolloutPhase::Held { .. } | RolloutPhase::Aborted { .. } => {
            Err(wrong(&rollout, "promote", rollout.phase.as_str()))
        }
    }
}

/// Gives the canary up. Where there is none, that is already so.
pub(super) fn abort(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let Some(rollout) = draft.app.rollout.clone() else { return Ok(()) };
    match rollout.phase {
        RolloutPhase::Starting
        | RolloutPhase::Serving
        | RolloutPhase::Paused
        | RolloutPhase::Held { .. }
        | RolloutPhase::Promoting => {
            let why = format!("{} gives it up", draft.actor());
            give_back_verdict(draft, rollout.release, &why);
            rollout::abort(draft, &why, json!({ "was": rollout.phase.as_str() }));
            Ok(())
        }
        RolloutPhase::Aborted { .. } => Ok(()),
        RolloutPhase::Promoted => Err(wrong(&rollout, "abort", "promoted")),
    }
}

/// A canary that was given back is bad, unless it has served everyone before.
fn give_back_verdict(draft: &mut Draft<'_>, release: Number, why: &str) {
    if draft.release(release).is_some_and(|it| it.verdict != ReleaseVerdict::Good) {
        draft.judge(release, ReleaseVerdict::Bad { why: why.to_owned() });
    }
}

/// Stops the steps where they are.
pub(super) fn pause(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let rollout = the_canary(draft, "pause")?;
    match rollout.phase {
        RolloutPhase::Serving => {
            let share = rollout::share(rollout.split);
            let text = format!("canary {} stays at {share} until it is resumed", rollout.release);
            set_phase(draft, RolloutPhase::Paused);
            say(draft, EventKind::RolloutPaused, &rollout, text);
            Ok(())
        }
        RolloutPhase::Paused => Ok(()),
        RolloutPhase::Starting
        | RolloutPhase::Held { .. }
        | RolloutPhase::Promoting
        | RolloutPhase::Promoted
        | RolloutPhase::Aborted { .. } => Err(wrong(&rollout, "pause", rollout.phase.as_str())),
    }
}

/// Lets the steps go on; at one that waits for approval, that is the approval.
pub(super) fn resume(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let rollout = the_canary(draft, "resume")?;
    match rollout.phase {
        RolloutPhase::Paused => {
            set_phase(draft, RolloutPhase::Serving);
            let text = format!("canary {} goes on, its step's time begins anew", rollout.release);
            say(draft, EventKind::RolloutResumed, &rollout, text);
            Ok(())
        }
        RolloutPhase::Serving => {
            let spec = draft.spec(rollout.release);
            let step = rollout.step.and_then(|at| spec?.canary.steps.get(at));
            let is_last =
                spec.zip(rollout.step).is_some_and(|(spec, at)| at + 1 >= spec.canary.steps.len());
            match step {
                // Nothing comes after the last approval but being stable.
                Some(Step::Approve) if is_last => promote(draft),
                Some(Step::Approve) => {
                    rollout::go_on(draft);
                    Ok(())
                }
                Some(Step::Share { .. }) | None => Ok(()),
            }
        }
        RolloutPhase::Starting
        | RolloutPhase::Held { .. }
        | RolloutPhase::Promoting
        | RolloutPhase::Promoted
        | RolloutPhase::Aborted { .. } => Err(wrong(&rollout, "resume", rollout.phase.as_str())),
    }
}

/// Tries a canary again that was held or given up.
pub(super) fn retry(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let rollout = the_canary(draft, "retry")?;
    match rollout.phase {
        RolloutPhase::Held { .. } => {
            let why = format!("{} tries it again", draft.actor());
            let standing: Vec<Alert> = on_canary(&draft.app).cloned().collect();
            for alert in standing {
                clear(draft, &alert, &why);
            }
            another_chance(draft, rollout.release);
            replace_broken(draft, rollout.release);
            rollout::give_back(draft, &why);
            Ok(())
        }
        RolloutPhase::Aborted { .. } => {
            if draft.spec(rollout.release).is_none() {
                return Err(Refusal::NoRelease { release: rollout.release });
            }
            if draft.app.stable.is_none() {
                return Err(Refusal::NoStable { release: rollout.release });
            }
            if draft.app.stable.as_ref().is_some_and(|it| it.release == rollout.release) {
                return Err(Refusal::IsStable { release: rollout.release });
            }
            begin(draft, rollout.release, false);
            Ok(())
        }
        RolloutPhase::Starting
        | RolloutPhase::Serving
        | RolloutPhase::Paused
        | RolloutPhase::Promoting => Ok(()),
        RolloutPhase::Promoted => Err(wrong(&rollout, "retry", "promoted")),
    }
}

/// An instance that does not serve would only be found so again: it makes room for another. None of
/// a held canary is in the route.
fn replace_broken(draft: &mut Draft<'_>, release: Number) {
    let until = draft.now();
    let broken: Vec<InstanceId> = draft
        .running(Track::Canary, release)
        .filter(|instance| draft.status(instance).is_some() && !draft.seen().serves(instance))
        .map(|instance| instance.id.clone())
        .collect();
    for id in broken {
        if let Some(instance) = draft.app.instances.iter_mut().find(|it| it.id == id) {
            instance.goal = Goal::Drain { until };
        }
        let text = format!("{} makes room for another: it does not serve", id.short());
        draft.say(EventKind::InstanceDraining, Subject::Instance(id), text, json!({}));
    }
}

/// Gives the canary another share, by hand: its steps end there.
pub(super) fn set_split(draft: &mut Draft<'_>, split: Split) -> Result<(), Refusal> {
    let rollout = the_canary(draft, "set the share of")?;
    if !rollout.phase.runs() {
        return Err(wrong(&rollout, "set the share of", rollout.phase.as_str()));
    }
    if rollout.split == split && rollout.step.is_none() {
        return Ok(());
    }
    let now = draft.now();
    if let Some(rollout) = draft.app.rollout.as_mut() {
        rollout.split = split;
        rollout.step = None;
        rollout.step_since = now;
    }
    let when = match rollout.phase {
        RolloutPhase::Held { .. } => " once it gets traffic again",
        RolloutPhase::Starting => " when it is healthy",
        _ => "",
    };
    let text = format!("canary {} takes {}{when}", rollout.release, rollout::share(split));
    say(draft, EventKind::RolloutSplit, &rollout, text);
    Ok(())
}

fn the_canary(draft: &Draft<'_>, verb: &'static str) -> Result<Rollout, Refusal> {
    draft.app.rollout.clone().ok_or(Refusal::NoCanary { verb })
}

fn wrong(rollout: &Rollout, verb: &'static str, phase: &'static str) -> Refusal {
    Refusal::WrongPhase { verb, release: rollout.release, phase }
}

fn set_phase(draft: &mut Draft<'_>, phase: RolloutPhase) {
    let now = draft.now();
    if let Some(rollout) = draft.app.rollout.as_mut() {
        rollout.phase = phase;
        rollout.step_since = now;
    }
}

fn say(draft: &mut Draft<'_>, kind: EventKind, before: &Rollout, text: String) {
    let after = draft.app.rollout.as_ref();
    let facts = json!({
        "split_before": before.split,
        "split": after.map(|rollout| rollout.split),
        "step": after.and_then(|rollout| rollout.step),
    });
    draft.say(kind, Subject::Rollout(before.release), text, facts);
}

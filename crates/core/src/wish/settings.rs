//! Wishes about pins, numbers of instances and alerts.

use std::time::Duration;

use serde_json::json;

use super::refusal::Refusal;
use crate::alert;
use crate::draft::Draft;
use crate::model::{Alert, EventKind, RolloutPhase, ScaleMode, Silence, Subject};
use crate::{rollout, tell};

/// The most instances a person may ask for: more is a slip of the finger.
const MOST: u32 = 100;

/// Lets pushes be deployed again.
pub(super) fn unpin(draft: &mut Draft<'_>) {
    let Some(pin) = draft.app.pin.take() else { return };
    let text = format!("pushes are deployed again; they were held at {}", pin.release);
    draft.say(EventKind::Unpinned, Subject::App, text, json!({ "release": pin.release }));
}

/// So many instances.
pub(super) fn scale_to(draft: &mut Draft<'_>, count: u32) -> Result<(), Refusal> {
    if !(1..=MOST).contains(&count) {
        return Err(Refusal::WrongCount { count, most: MOST });
    }
    let text = format!("{} from now on, whatever the load", tell::count(count.into(), "instance"));
    set(draft, ScaleMode::Manual, count, text);
    Ok(())
}

/// As many as the load asks for.
pub(super) fn scale_auto(draft: &mut Draft<'_>) {
    let wanted = draft.app.scale.wanted;
    let text = format!("from {} on, as many as the load asks for", count(wanted));
    set(draft, ScaleMode::Auto, wanted, text);
}

/// As many as there are.
pub(super) fn scale_freeze(draft: &mut Draft<'_>) {
    let wanted = draft.app.scale.wanted;
    let text = format!("it stays at {}, whatever the load", count(wanted));
    set(draft, ScaleMode::Frozen, wanted, text);
}

fn count(wanted: u32) -> String {
    tell::count(wanted.into(), "instance")
}

fn set(draft: &mut Draft<'_>, mode: ScaleMode, wanted: u32, text: String) {
    let before = draft.app.scale.clone();
    if before.mode == mode && before.wanted == wanted {
        return;
    }
    draft.app.scale.mode = mode;
    if before.wanted != wanted {
        draft.app.scale.wanted = wanted;
        draft.app.scale.changed_at = Some(draft.now());
    }
    let facts = json!({
        "from": before.wanted,
        "to": wanted,
        "mode_before": before.mode,
        "mode": mode,
    });
    draft.say(EventKind::ScaleSet, Subject::App, text, facts);
}

/// Notes who has seen an alert; the first one stands.
pub(super) fn acknowledge(draft: &mut Draft<'_>, id: u64) -> Result<(), Refusal> {
    let actor = draft.actor().to_owned();
    let found = draft.app.alerts.iter_mut().find(|alert| alert.id == id);
    let alert = found.ok_or(Refusal::NoAlert { alert: id })?;
    if alert.acknowledged_by.is_some() {
        return Ok(());
    }
    alert.acknowledged_by = Some(actor.clone());
    let text = format!("{actor} has seen alert/{id} about {}", alert.about());
    draft.say(EventKind::AlertAcknowledged, Subject::Alert(id), text, json!({ "by": actor }));
    Ok(())
}

/// The longest silence: what is silent for longer is forgotten, and nobody wonders.
const MOST_HOURS: u32 = 168;

/// The rules that can be silent at once; the one that ends first makes room.
const MOST_SILENCES: usize = 20;

/// Tells nobody of an alert's rule for a while, on any instance of the app.
pub(super) fn silence(draft: &mut Draft<'_>, id: u64, hours: u32) -> Result<(), Refusal> {
    if !(1..=MOST_HOURS).contains(&hours) {
        return Err(Refusal::WrongHours { hours, most: MOST_HOURS });
    }
    let found = draft.app.alerts.iter().find(|alert| alert.id == id);
    let rule = found.ok_or(Refusal::NoAlert { alert: id })?.rule.clone();
    let (now, by) = (draft.now(), draft.actor().to_owned());
    let until = now.plus(Duration::from_hours(hours.into()));
    let silences = &mut draft.app.silences;
    if silences.iter().any(|silence| silence.rule == rule && silence.until >= until) {
        return Ok(());
    }
    silences.retain(|silence| silence.rule != rule && silence.until > now);
    if silences.len() >= MOST_SILENCES {
        silences.sort_by_key(|silence| silence.until);
        silences.remove(0);
    }
    let text = format!("{by} lets nobody be told of {rule} until {until}");
    let facts = json!({ "rule": rule, "until": until, "by": by });
    silences.push(Silence { rule, until, by });
    draft.say(EventKind::AlertSilenced, Subject::Alert(id), text, facts);
    Ok(())
}

/// Counts an alert as cleared. A canary that is held by it gets its share back, also where the
/// alert had cleared by itself.
pub(super) fn clear(draft: &mut Draft<'_>, id: u64) -> Result<(), Refusal> {
    let found = draft.app.alerts.iter().find(|alert| alert.id == id).cloned();
    let holds = draft.app.rollout.as_ref().is_some_and(|rollout| match &rollout.phase {
        RolloutPhase::Held { alert, .. } => *alert == Some(id),
        RolloutPhase::Starting
        | RolloutPhase::Serving
        | RolloutPhase::Paused
        | RolloutPhase::Promoting
        | RolloutPhase::Promoted
        | RolloutPhase::Aborted { .. } => false,
    });
    // A held canary may outlast the memory of its alert.
    if found.is_none() && !holds {
        return Err(Refusal::NoAlert { alert: id });
    }
    let why = format!("{} clears alert/{id}", draft.actor());
    if let Some(alert) = found.filter(Alert::is_raised) {
        alert::clear(draft, &alert, &why);
    }
    if holds {
        rollout::give_back(draft, &why);
    }
    Ok(())
}

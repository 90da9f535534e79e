//! Every rule on every instance, and what that does to the app's alerts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::gauge::{Change, Gauge};
use super::quiet::may_tell;
use crate::draft::Draft;
use crate::model::{
    Alert, AlertPhase, AlertRule, App, Basis, EventKind, Goal, Instance, InstanceId, Measured,
    Subject, Track,
};
use crate::sample::{Mean, Metered};
use crate::spec::CHANNELS;
use crate::tell;

/// The samples behind the alerts, by instance and rule.
pub type Gauges = BTreeMap<(InstanceId, String), Gauge>;

/// Looks at every rule of every instance that should run, raises and clears.
pub fn watch(draft: &mut Draft<'_>, gauges: &mut Gauges, metered: &BTreeMap<InstanceId, Metered>) {
    clear_of_the_gone(draft);
    let running: Vec<Instance> =
        draft.app.instances.iter().filter(|it| it.goal == Goal::Run).cloned().collect();
    gauges.retain(|(id, _), _| running.iter().any(|instance| instance.id == *id));
    for instance in &running {
        let Some(spec) = draft.spec(instance.release) else { continue };
        for rule in &spec.alerts {
            let metered = metered.get(&instance.id).copied().unwrap_or_default();
            look(draft, gauges, instance, rule, metered);
        }
    }
    forget_the_oldest(&mut draft.app);
}

fn look(
    draft: &mut Draft<'_>,
    gauges: &mut Gauges,
    instance: &Instance,
    rule: &AlertRule,
    metered: Metered,
) {
    let now = draft.now();
    let standing = draft.app.alerts.iter().rev().find(|alert| is_of(alert, instance, rule));
    let stale = match standing.map(|alert| &alert.phase) {
        Some(AlertPhase::Raised { stale }) => Some(*stale),
        Some(AlertPhase::Cleared { .. }) | None => None,
    };
    let gauge = gauges.entry((instance.id.clone(), rule.name.clone())).or_insert_with(|| {
        stale.map_or_else(|| Gauge::new(rule), |stale| Gauge::resumed(rule, stale, now))
    });
    gauge.stands(stale.is_some());
    for change in gauge.meter(rule, metered, now) {
        match change {
            Change::Raise(mean) => raise(draft, instance, rule, mean),
            Change::Clear(mean) => cleared(draft, instance, rule, mean),
            Change::Stale => set_stale(draft, instance, rule, true),
            Change::Fresh => set_stale(draft, instance, rule, false),
        }
    }
    tell_late(draft, instance, rule);
}

fn is_of(alert: &Alert, instance: &Instance, rule: &AlertRule) -> bool {
    alert.instance() == Some(&instance.id) && alert.rule == rule.name
}

fn raise(draft: &mut Draft<'_>, instance: &Instance, rule: &AlertRule, mean: Mean) {
    let now = draft.now();
    let before = draft.app.alerts.iter().filter(|alert| is_of(alert, instance, rule));
    let tell = may_tell(rule.quiet, before, now) && !draft.app.is_silent(&rule.name, now);
    let basis = Basis::Measured(Measured {
        instance: instance.id.clone(),
        metric: rule.metric,
        value: mean.percent,
        threshold: rule.above,
    });
    let alert = Alert {
        id: next_id(&draft.app),
        rule: rule.name.clone(),
        basis,
        release: instance.release,
        track: instance.track,
        raised_at: now,
        phase: AlertPhase::Raised { stale: false },
        told_at: tell.then_some(now),
        acknowledged_by: None,
    };
    let text = raised_text(&alert, mean, rule);
    let facts = facts(&alert, rule, Some(mean), tell);
    draft.say(EventKind::AlertRaised, Subject::Alert(alert.id), text, facts);
    draft.app.alerts.push(alert);
}

/// The number of the next alert.
pub(super) fn next_id(app: &App) -> u64 {
    app.alerts.last().map_or(0, |last| last.id) + 1
}

fn raised_text(alert: &Alert, mean: Mean, rule: &AlertRule) -> String {
    let (value, threshold) = (tell::percent(mean.percent), tell::percent(rule.above));
    format!("{} is {value}, above {threshold}", what(alert))
}

/// `cpu of web.3 (canary #5)`.
fn what(alert: &Alert) -> String {
    format!("{} ({} {})", alert.about(), alert.track, alert.release)
}

/// Tells of an alert that was raised in a quiet period and has outlasted it.
fn tell_late(draft: &mut Draft<'_>, instance: &Instance, rule: &AlertRule) {
    let now = draft.now();
    let alerts = &draft.app.alerts;
    let untold = alerts.iter().position(|alert| {
        is_of(alert, instance, rule) && alert.is_raised() && alert.told_at.is_none()
    });
    let Some(at) = untold else { return };
    let before = alerts.iter().filter(|alert| is_of(alert, instance, rule));
    if !may_tell(rule.quiet, before, now) || draft.app.is_silent(&rule.name, now) {
        return;
    }
    draft.app.alerts[at].told_at = Some(now);
    let alert = draft.app.alerts[at].clone();
    let threshold = tell::percent(rule.above);
    let text = format!("{} is above {threshold} since {}", what(&alert), alert.raised_at);
    draft.say(
        EventKind::AlertRaised,
        Subject::Alert(alert.id),
        text,
        facts(&alert, rule, None, true),
    );
}

fn cleared(draft: &mut Draft<'_>, instance: &Instance, rule: &AlertRule, mean: Mean) {
    let standing =
        draft.app.alerts.iter().find(|alert| is_of(alert, instance, rule) && alert.is_raised());
    let Some(alert) = standing.cloned() else { return };
    let text = format!(
        "{} of {} is {} again, below {}",
        rule.metric.as_str(),
        instance.id.short(),
        tell::percent(mean.percent),
        tell::percent(rule.below),
    );
    let facts = facts(&alert, rule, Some(mean), alert.told_at.is_some());
    end(draft, alert.id, "below the threshold");
    draft.say(EventKind::AlertCleared, Subject::Alert(alert.id), text, facts);
}

fn set_stale(draft: &mut Draft<'_>, instance: &Instance, rule: &AlertRule, stale: bool) {
    let standing =
        draft.app.alerts.iter_mut().find(|alert| is_of(alert, instance, rule) && alert.is_raised());
    let mut subject = Subject::Instance(instance.id.clone());
    if let Some(alert) = standing {
        alert.phase = AlertPhase::Raised { stale };
        subject = Subject::Alert(alert.id);
    }
    let (kind, what) = if stale {
        (EventKind::AlertStale, "has not been read for a while")
    } else {
        (EventKind::AlertFresh, "is read again")
    };
    let text = format!("{} of {} {what}", rule.metric.as_str(), instance.id.short());
    let facts = json!({ "rule": rule.name, "stale_after_ms": (rule.window / 2).as_millis() });
    draft.say(kind, subject, text, facts);
}

/// An alert about an instance, or about a canary, that is not used any more holds no more.
fn clear_of_the_gone(draft: &mut Draft<'_>) {
    let is_used = |alert: &Alert| match &alert.basis {
        Basis::Measured(measured) => {
            let same = |instance: &&Instance| instance.id == measured.instance;
            draft.app.instances.iter().find(same).is_some_and(|it| it.goal == Goal::Run)
        }
        Basis::Outside(_) => {
            alert.track == Track::Stable || draft.app.canary() == Some(alert.release)
        }
    };
    let over: Vec<Alert> = draft
        .app
        .alerts
        .iter()
        .filter(|alert| alert.is_raised() && !is_used(alert))
        .cloned()
        .collect();
    for alert in over {
        let why = match alert.basis {
            Basis::Measured(_) => "the instance is not used any more",
            Basis::Outside(_) => "the canary is not used any more",
        };
        clear(draft, &alert, why);
    }
}

/// Counts an alert as cleared, for a reason other than its samples.
pub(crate) fn clear(draft: &mut Draft<'_>, alert: &Alert, why: &str) {
    let notify = match &alert.basis {
        _ if alert.told_at.is_none() => Vec::new(),
        Basis::Outside(_) => CHANNELS.map(str::to_owned).into(),
        Basis::Measured(_) => draft
            .spec(alert.release)
            .and_then(|spec| spec.alerts.iter().find(|rule| rule.name == alert.rule))
            .map(|rule| rule.notify.clone())
            .unwrap_or_default(),
    };
    end(draft, alert.id, why);
    let text = format!("the alert about {} is over: {why}", alert.about());
    let facts = json!({ "rule": alert.rule, "instance": alert.instance(), "notify": notify });
    draft.say(EventKind::AlertCleared, Subject::Alert(alert.id), text, facts);
}

fn end(draft: &mut Draft<'_>, id: u64, why: &str) {
    let at = draft.now();
    if let Some(alert) = draft.app.alerts.iter_mut().find(|alert| alert.id == id) {
        alert.phase = AlertPhase::Cleared { at, why: why.to_owned() };
    }
}

/// Drops ended alerts beyond those that are remembered. The newest alert always stays: the next
/// number is counted from it.
fn forget_the_oldest(app: &mut App) {
    let ended = app.alerts.iter().filter(|alert| !alert.is_raised()).count();
    let mut drop = ended.saturating_sub(App::ALERTS_KEPT);
    app.alerts.retain(|alert| {
        let goes = drop > 0 && !alert.is_raised();
        drop -= usize::from(goes);
        !goes
    });
}

fn facts(alert: &Alert, rule: &AlertRule, mean: Option<Mean>, tell: bool) -> Value {
    let notify: &[String] = if tell { &rule.notify } else { &[] };
    let measured = alert.measured();
    json!({
        "rule": rule.name,
        "instance": alert.instance(),
        "release": alert.release,
        "track": alert.track,
        "metric": rule.metric,
        "value_percent": mean.map(|mean| mean.percent).or(measured.map(|it| it.value)),
        "above_percent": rule.above,
        "below_percent": rule.below,
        "window_ms": rule.window.as_millis(),
        "samples": mean.map(|mean| mean.samples),
        "raised_at": alert.raised_at,
        "notify": notify,
    })
}

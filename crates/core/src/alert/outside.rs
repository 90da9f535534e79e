//! Alerts that another system raises and ends: what they do to the app's document.

use std::time::Duration;

use serde_json::{Value, json};

use super::quiet::may_tell;
use super::watch::{clear, next_id};
use crate::draft::Draft;
use crate::model::{Alert, AlertPhase, Basis, EventKind, Number, Outside, Subject, Track};
use crate::spec::CHANNELS;

/// The least time between two messages about the same alert of another system.
const QUIET: Duration = Duration::from_mins(10);

/// How many alerts of other systems may stand on an app at once: its document has to stay small.
const MOST: usize = 30;

/// Raises an alert that was told from outside on the release that `track` stands for; false where
/// it was told before.
///
/// An alert is the same when its fingerprint, its beginning and the release are: one that a person
/// cleared is not raised again by being told again, and one that goes on when the next canary comes
/// is raised on that one.
///
/// # Errors
/// In words, where there is nothing it could be about.
pub(crate) fn raise(
    draft: &mut Draft<'_>,
    name: &str,
    track: Track,
    told: &Outside,
) -> Result<bool, String> {
    let release = subject(draft, track)?;
    let of = |alert: &Alert| alert.outside().is_some_and(|it| it.fingerprint == told.fingerprint);
    let same = |alert: &Alert| {
        let since = alert.outside().map(|it| it.since);
        of(alert) && alert.release == release && (alert.is_raised() || since == Some(told.since))
    };
    if draft.app.alerts.iter().any(same) {
        return Ok(false);
    }
    // The same on another release: the other one is not tried any more.
    let before: Vec<Alert> =
        draft.app.alerts.iter().filter(|it| of(it) && it.is_raised()).cloned().collect();
    for alert in before {
        clear(draft, &alert, "it is told of another release now");
    }
    let standing = draft.app.alerts.iter().filter(|it| it.is_raised() && it.outside().is_some());
    if standing.count() >= MOST {
        return Err(format!("{MOST} alerts from outside stand already"));
    }
    let now = draft.now();
    let tell = may_tell(QUIET, draft.app.alerts.iter().filter(|alert| of(alert)), now)
        && !draft.app.is_silent(name, now);
    let alert = Alert {
        id: next_id(&draft.app),
        rule: name.to_owned(),
        basis: Basis::Outside(told.clone()),
        release,
        track,
        raised_at: now,
        phase: AlertPhase::Raised { stale: false },
        told_at: tell.then_some(now),
        acknowledged_by: None,
    };
    let text = format!("{} ({track} {release})", alert.finding());
    draft.say(EventKind::AlertRaised, Subject::Alert(alert.id), text, facts(&alert, told, tell));
    draft.app.alerts.push(alert);
    Ok(true)
}

/// The other system says that an alert is over; false where none of it stands.
pub(crate) fn over(draft: &mut Draft<'_>, fingerprint: &str) -> bool {
    let standing: Vec<Alert> = draft
        .app
        .alerts
        .iter()
        .filter(|it| it.is_raised())
        .filter(|it| it.outside().is_some_and(|it| it.fingerprint == fingerprint))
        .cloned()
        .collect();
    for alert in &standing {
        clear(draft, alert, "whoever raised it says so");
    }
    !standing.is_empty()
}

/// The release an alert about `track` is about now.
fn subject(draft: &Draft<'_>, track: Track) -> Result<Number, String> {
    match track {
        Track::Stable => {
            draft.app.serving().ok_or_else(|| "no release serves everyone yet".to_owned())
        }
        Track::Canary => draft.app.canary().ok_or_else(|| "there is no canary".to_owned()),
    }
}

fn facts(alert: &Alert, told: &Outside, tell: bool) -> Value {
    let notify: &[&str] = if tell { &CHANNELS } else { &[] };
    json!({
        "rule": alert.rule,
        "release": alert.release,
        "track": alert.track,
        "fingerprint": told.fingerprint,
        "reason": told.reason,
        "since": told.since,
        "link": told.link,
        "notify": notify,
    })
}

//! Letters about alerts.

use serde_json::json;
use toehold_core::model::{Alert, AppName, Basis, EventKind, Subject};
use toehold_core::time::Timestamp;

use crate::notify::layout::Page;
use crate::notify::letter::{Letter, headline};

impl Letter {
    /// An alert was raised. `consequence` says what Toehold did about it, where it did something.
    #[must_use]
    pub fn alert_raised(app: &AppName, alert: &Alert, consequence: &str, at: Timestamp) -> Self {
        let said = match &alert.basis {
            Basis::Measured(it) => format!(
                "{} of {app}'s {} is at {:.1} % of its allotment, over the {:.1} % of the rule \
                 {:?}. {consequence}",
                it.metric.as_str(),
                place(alert),
                it.value,
                it.threshold,
                alert.rule
            ),
            Basis::Outside(it) => format!(
                "{} says of {app}'s {}: {}. {consequence}",
                alert.rule,
                place(alert),
                if it.reason.is_empty() { "something is wrong" } else { &it.reason },
            ),
        };
        let mut letter = Self::about_alert(app, alert, EventKind::AlertRaised, &said, at);
        let what = match &alert.basis {
            Basis::Measured(it) => {
                let (metric, name) = (it.metric.as_str(), it.instance.short());
                format!("alert: {metric} at {:.1} % on {name} ({})", it.value, alert.track)
            }
            Basis::Outside(_) => format!("alert: {}", alert.finding()),
        };
        letter.headline = headline(app, &what);
        letter
    }

    /// An alert holds no more; `why` says it in words.
    #[must_use]
    pub fn alert_cleared(app: &AppName, alert: &Alert, why: &str, at: Timestamp) -> Self {
        let minutes = at.since(alert.raised_at).as_secs().div_ceil(60);
        let said = format!(
            "The alert on {} of {app}'s {}, raised at {}, holds no more after {minutes} min: \
             {why}.",
            metric(alert),
            place(alert),
            alert.raised_at,
        );
        let mut letter = Self::about_alert(app, alert, EventKind::AlertCleared, &said, at);
        let what = match &alert.basis {
            Basis::Measured(it) => {
                format!("{} on {} ({})", it.metric.as_str(), it.instance.short(), alert.track)
            }
            Basis::Outside(_) => alert.about(),
        };
        letter.headline = headline(app, &format!("resolved: {what}"));
        letter
    }

    fn about_alert(
        app: &AppName,
        alert: &Alert,
        kind: EventKind,
        said: &str,
        at: Timestamp,
    ) -> Self {
        let measured = alert.measured();
        let outside = alert.outside();
        let page = Page::default().prose(said).table(&[
            ("Alert", format!("alert/{} ({})", alert.id, alert.rule)),
            ("Release", alert.release.to_string()),
            ("Raised", alert.raised_at.to_string()),
            ("More", outside.map(|it| it.link.clone()).unwrap_or_default()),
            ("Look", format!("toehold why alert/{} --app {app}", alert.id)),
        ]);
        Self {
            kind,
            app: Some(app.clone()),
            about: Subject::Alert(alert.id),
            at,
            headline: String::new(),
            body: page.finish(),
            facts: json!({
                "alert": alert.id, "rule": alert.rule, "instance": alert.instance(),
                "release": alert.release, "track": alert.track,
                "metric": measured.map(|it| it.metric), "value": measured.map(|it| it.value),
                "threshold": measured.map(|it| it.threshold),
                "fingerprint": outside.map(|it| &it.fingerprint),
                "reason": outside.map(|it| &it.reason),
            }),
            offers: Vec::new(),
        }
    }
}

fn place(alert: &Alert) -> String {
    match alert.instance() {
        Some(instance) => format!("{} instance {}", alert.track, instance.short()),
        None => alert.track.to_string(),
    }
}

/// What is measured, or the name another system has for it.
fn metric(alert: &Alert) -> &str {
    alert.measured().map_or(&alert.rule, |it| it.metric.as_str())
}

//! Letters about alerts.

use serde_json::json;
use toehold_core::model::{Alert, AppName, EventKind, Subject};
use toehold_core::time::Timestamp;

use crate::notify::layout::Page;
use crate::notify::letter::{Letter, headline};

impl Letter {
    /// An alert was raised. `consequence` says what Toehold did about it, where it did something.
    #[must_use]
    pub fn alert_raised(app: &AppName, alert: &Alert, consequence: &str, at: Timestamp) -> Self {
        let (metric, value) = (alert.metric.as_str(), alert.value);
        let where_ = place(alert);
        let said = format!(
            "{metric} of {app}'s {where_} is at {value:.1} % of its allotment, over the {:.1} % of \
             the rule {:?}. {consequence}",
            alert.threshold, alert.rule
        );
        let mut letter = Self::about_alert(app, alert, EventKind::AlertRaised, &said, at);
        letter.headline = headline(
            app,
            &format!(
                "alert: {metric} at {value:.1} % on {} ({})",
                alert.instance.short(),
                alert.track
            ),
        );
        letter
    }

    /// An alert holds no more; `why` says it in words.
    #[must_use]
    pub fn alert_cleared(app: &AppName, alert: &Alert, why: &str, at: Timestamp) -> Self {
        let metric = alert.metric.as_str();
        let minutes = at.since(alert.raised_at).as_secs().div_ceil(60);
        let said = format!(
            "The alert on {metric} of {app}'s {}, raised at {}, holds no more after {minutes} min: \
             {why}.",
            place(alert),
            alert.raised_at,
        );
        let mut letter = Self::about_alert(app, alert, EventKind::AlertCleared, &said, at);
        letter.headline = headline(
            app,
            &format!("resolved: {metric} on {} ({})", alert.instance.short(), alert.track),
        );
        letter
    }

    fn about_alert(
        app: &AppName,
        alert: &Alert,
        kind: EventKind,
        said: &str,
        at: Timestamp,
    ) -> Self {
        let page = Page::default().prose(said).table(&[
            ("Alert", format!("alert/{} ({})", alert.id, alert.rule)),
            ("Release", alert.release.to_string()),
            ("Raised", alert.raised_at.to_string()),
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
                "alert": alert.id, "rule": alert.rule, "instance": alert.instance,
                "release": alert.release, "track": alert.track, "metric": alert.metric,
                "value": alert.value, "threshold": alert.threshold,
            }),
        }
    }
}

fn place(alert: &Alert) -> String {
    format!("{} instance {}", alert.track, alert.instance.short())
}

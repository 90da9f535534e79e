//! What people are told, and how: one function a kind, no IO.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toehold_core::model::{
    Alert, AppName, Build, Case, EventKind, Failure, Issue, Number, Severity, Subject, Track,
};
use toehold_core::time::Timestamp;

use crate::notify::layout::{Page, cut, one_line};

/// The longest headline, in characters.
const HEADLINE: usize = 140;

/// How many lines of one failing test's message are shown; all of it is in the report.
const MESSAGE_LINES: usize = 8;

/// Something people should know, composed: the same for every channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// What kind of thing happened.
    pub kind: EventKind,
    /// The app; `None` for what concerns all of Toehold.
    pub app: Option<AppName>,
    /// What it is about.
    pub about: Subject,
    /// When it happened.
    pub at: Timestamp,
    /// One line that reads alone, without control characters: the subject of the mail.
    pub headline: String,
    /// Plain text, its lines ended by a line feed.
    pub body: String,
    /// The numbers behind it, a JSON object.
    pub facts: Value,
}

impl Letter {
    /// A build failed: what, where, who, the end of the log, and what to try.
    #[must_use]
    pub fn build_failed(build: &Build, failure: &Failure, at: Timestamp) -> Self {
        let (app, number) = (&build.app, build.number);
        let what = one_line(&failure.what);
        let ended = match failure.exit.as_str() {
            "" => String::new(),
            exit => format!(" ({exit})"),
        };
        let page = Page::default()
            .prose(&format!(
                "Build {number} of {app} failed at the {step} step: {what}{ended}. Nothing was \
                 deployed.",
                step = failure.step
            ))
            .verbatim("Failing tests", failure.cases.iter().flat_map(case_lines))
            .verbatim("Findings", failure.issues.iter().map(issue_line))
            .verbatim("The end of its output", &failure.tail)
            .table(&commit_rows(build))
            .table(&[("Try", failure.hint.clone())]);
        Self {
            kind: EventKind::BuildFailed,
            app: Some(app.clone()),
            about: Subject::Release(number),
            at,
            headline: headline(app, &format!("build {number} failed: {what}")),
            body: page.finish(),
            facts: json!({
                "build": number, "commit": build.commit, "branch": build.branch,
                "track": build.track, "author": build.author, "step": failure.step,
                "exit": failure.exit, "cases": failure.cases.len(), "issues": failure.issues.len(),
            }),
        }
    }

    /// A build passed after one on the same track that had failed, `failed_before`.
    #[must_use]
    pub fn build_fixed(build: &Build, failed_before: Number, at: Timestamp) -> Self {
        let (app, number) = (&build.app, build.number);
        let steps = build.steps.iter().map(|step| {
            format!("{:9} {} ({} ms)", step.kind.to_string(), step.summary, step.took_ms)
        });
        let page = Page::default()
            .prose(&format!(
                "Build {number} of {app} passed. The one before it on {track}, {failed_before}, \
                 had failed.",
                track = build.track
            ))
            .verbatim("Steps", steps)
            .table(&commit_rows(build));
        Self {
            kind: EventKind::BuildFixed,
            app: Some(app.clone()),
            about: Subject::Release(number),
            at,
            headline: headline(app, &format!("build {number} is fixed")),
            body: page.finish(),
            facts: json!({
                "build": number, "failed_before": failed_before, "commit": build.commit,
                "branch": build.branch, "track": build.track, "author": build.author,
            }),
        }
    }

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

    /// `by` went back from release `from` to `to`, and automatic deploys are held.
    #[must_use]
    pub fn rollback(
        app: &AppName,
        from: Option<Number>,
        to: Number,
        by: &str,
        at: Timestamp,
    ) -> Self {
        let from_words = from.map(|from| format!(" from {from}")).unwrap_or_default();
        let page = Page::default()
            .prose(&format!(
                "{by} took {app} back{from_words} to {to}: its artifact, configuration and \
                 environment together. Pushes are built and not deployed until somebody says \
                 `toehold unpin`."
            ))
            .table(&[("Look", format!("toehold why {to} --app {app}"))]);
        Self {
            kind: EventKind::RollbackStarted,
            app: Some(app.clone()),
            about: Subject::Release(to),
            at,
            headline: headline(app, &format!("rolled back{from_words} to {to} by {by}")),
            body: page.finish(),
            facts: json!({ "from": from, "to": to, "by": by }),
        }
    }

    /// The canary lost its traffic: `why` says what happened, in words.
    #[must_use]
    pub fn canary_held(app: &AppName, release: Number, why: &str, at: Timestamp) -> Self {
        let page = Page::default()
            .prose(&format!(
                "The canary {release} of {app} gets no more traffic, everyone is on stable: {why}."
            ))
            .prose(
                "Its instances are kept to be looked at. Push a better one to take its place, give \
                 it up with `toehold rollout abort`, or try it again with `toehold rollout retry`.",
            )
            .table(&[("Look", format!("toehold why rollout --app {app}"))]);
        Self {
            kind: EventKind::RolloutHeld,
            app: Some(app.clone()),
            about: Subject::Rollout(release),
            at,
            headline: headline(app, &format!("canary {release} was given back: {why}")),
            body: page.finish(),
            facts: json!({ "release": release, "why": why }),
        }
    }

    /// A release could not serve; `kept` goes on. `evidence` is what its probes and its log said.
    #[must_use]
    pub fn deploy_failed(
        app: &AppName,
        release: Number,
        kept: Option<Number>,
        why: &str,
        evidence: &[String],
        at: Timestamp,
    ) -> Self {
        let goes_on = match kept {
            Some(kept) => format!("{kept} goes on serving."),
            None => "Nothing serves.".to_owned(),
        };
        let page = Page::default()
            .prose(&format!("Release {release} of {app} could not serve: {why}. {goes_on}"))
            .verbatim("What was seen", evidence)
            .table(&[("Look", format!("toehold why {release} --app {app}"))]);
        Self {
            kind: EventKind::DeployFailed,
            app: Some(app.clone()),
            about: Subject::Release(release),
            at,
            headline: headline(app, &format!("release {release} could not serve: {why}")),
            body: page.finish(),
            facts: json!({ "release": release, "kept": kept, "why": why }),
        }
    }

    /// Nothing happened: somebody tries whether letters arrive.
    #[must_use]
    pub fn test(by: &str, at: Timestamp) -> Self {
        let by = one_line(by);
        Self {
            kind: EventKind::MessageSent,
            app: None,
            about: Subject::Toehold,
            at,
            headline: "[toehold] a test: letters arrive".to_owned(),
            body: Page::default().prose(&format!("{by} tried whether letters arrive.")).finish(),
            facts: json!({ "by": by }),
        }
    }
}

fn headline(app: &AppName, text: &str) -> String {
    cut(&format!("[{app}] {}", one_line(text)), HEADLINE)
}

fn commit_rows(build: &Build) -> [(&'static str, String); 4] {
    [
        ("Commit", format!("{} {:?}", build.commit.short(), one_line(&build.subject))),
        ("Author", build.author.clone()),
        ("Branch", format!("{} ({})", build.branch, build.track)),
        ("Build", build.number.to_string()),
    ]
}

fn case_lines(case: &Case) -> Vec<String> {
    let name = match case.suite.as_str() {
        "" => case.name.clone(),
        suite => format!("{suite}: {}", case.name),
    };
    let place = match (&case.file, case.line) {
        (Some(file), Some(line)) => format!("  at {file}:{line}"),
        (Some(file), None) => format!("  at {file}"),
        (None, _) => String::new(),
    };
    let mut lines = vec![name];
    if !place.is_empty() {
        lines.push(place);
    }
    let mut message = case.message.lines();
    lines.extend(message.by_ref().take(MESSAGE_LINES).map(|line| format!("  {line}")));
    if message.next().is_some() {
        lines.push("  …".to_owned());
    }
    lines
}

fn issue_line(issue: &Issue) -> String {
    let severity = match issue.severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let (file, line, column) = (&issue.file, issue.line, issue.column);
    format!("{file}:{line}:{column}  {severity}  {}  ({})", issue.message, issue.rule)
}

fn place(alert: &Alert) -> String {
    let track = match alert.track {
        Track::Stable => "stable",
        Track::Canary => "canary",
    };
    format!("{track} instance {}", alert.instance.short())
}

#[cfg(test)]
mod tests;

//! Letters about builds.

use serde_json::json;
use toehold_core::model::{Build, Case, EventKind, Failure, Issue, Number, Severity, Subject};
use toehold_core::time::Timestamp;

use crate::notify::layout::{Page, one_line};
use crate::notify::letter::{Letter, headline};

/// How many lines of one failing test's message are shown; all of it is in the report.
const MESSAGE_LINES: usize = 8;

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
            offers: Vec::new(),
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
            offers: Vec::new(),
        }
    }
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

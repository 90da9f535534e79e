//! One build: its steps, its verdict, everything it said.

use maud::{Markup, html};
use toehold_core::model::{Build, BuildPhase, CaseOutcome, Failure, Issue, StepKind};
use toehold_core::time::Timestamp;

use super::shell::Shell;
use super::{Assets, Viewer, words};

/// All that the page shows.
#[derive(Clone, Debug)]
pub(crate) struct BuildPage {
    /// The build.
    pub(crate) build: Build,
    /// The beginning of what it said.
    pub(crate) text: String,
    /// Where that goes on, in bytes.
    pub(crate) next: u64,
    /// Who looks.
    pub(crate) viewer: Viewer,
    /// The time.
    pub(crate) now: Timestamp,
}

impl BuildPage {
    /// The whole page.
    pub(crate) fn page(&self, assets: &Assets) -> Markup {
        let build = &self.build;
        let app = &build.app;
        let title = format!("{app} build {}", build.number);
        let body = html! {
            p.crumbs { a href=(format!("/apps/{app}")) { (app) } " / build " (build.number) }
            section.part {
                h1 { "Build " (build.number) }
                p.release {
                    code { (build.branch) "@" (build.commit.short()) } " "
                    span.subject { (build.subject) }
                    span.muted { " by " (build.author) ", " (words::ago(build.queued_at, self.now)) }
                }
                (steps(build))
                @if let BuildPhase::Failed { failure: why } = &build.phase { (failure(why)) }
                @if !build.phase.has_ended() && self.viewer.may_deploy {
                    form method="post" action=(format!("/apps/{app}/builds/{}/cancel", build.number.0)) {
                        button.small { "Stop this build" }
                    }
                }
            }
            section.part {
                h2 { "Everything it said" }
                pre.log.whole #said tabindex="0" aria-label="what the build said"
                    data-log=[(!build.phase.has_ended()).then(|| format!("/api/v1/apps/{app}/builds/{}/log?from=", build.number.0))]
                    data-next=(self.next) { (self.text) }
            }
        };
        let shell = Shell {
            title: &title,
            assets,
            viewer: Some(&self.viewer),
            apps: &[],
            here: Some(app),
            live: None,
        };
        shell.page(&body)
    }
}

/// Each step with its verdict.
pub(crate) fn steps(build: &Build) -> Markup {
    let running = match &build.phase {
        BuildPhase::Running { step } => Some(*step),
        _ => None,
    };
    let waits = |kind: &StepKind| {
        !build.phase.has_ended()
            && running != Some(*kind)
            && !build.steps.iter().any(|step| step.kind == *kind)
    };
    html! {
        ol.steps {
            @for step in &build.steps {
                li class=(if step.passed { "good" } else { "bad" }) {
                    span.name { (step.kind) } span.summary { (step.summary) } span.took { (words::took(step.took_ms)) }
                }
            }
            @if let Some(step) = running { li.busy { span.name { (step) } span.summary { "runs …" } span.took {} } }
            @for kind in StepKind::ALL.iter().filter(|kind| waits(kind)) {
                li.off { span.name { (kind) } span.summary {} span.took {} }
            }
        }
    }
}

/// Why it failed: the assertion, the findings, the last lines and what to try.
pub(crate) fn failure(failure: &Failure) -> Markup {
    html! {
        div.failure {
            p { b { (failure.what) } @if !failure.exit.is_empty() { span.muted { " · " (failure.exit) } } }
            @for case in failure.cases.iter().filter(|case| case.outcome == CaseOutcome::Failed) {
                div.case {
                    p { (case.suite) " " b { (case.name) } }
                    pre { (case.message) }
                    @if let Some(file) = &case.file { code { (place(file, case.line.unwrap_or(0), 0)) } }
                }
            }
            @if !failure.issues.is_empty() {
                ul.issues { @for issue in &failure.issues { (finding(issue)) } }
            }
            @if !failure.tail.is_empty() {
                details open[failure.cases.is_empty() && failure.issues.is_empty()] {
                    summary { "the last lines" }
                    pre.tail { @for line in &failure.tail { (line) "\n" } }
                }
            }
            @if !failure.hint.is_empty() { p.hint { "try " code { (failure.hint) } } }
        }
    }
}

fn finding(issue: &Issue) -> Markup {
    html! {
        li { code { (place(&issue.file, issue.line, issue.column)) } " " (issue.message) " " span.muted { (issue.rule) } }
    }
}

/// `file:line:column`, as editors open it.
fn place(file: &str, line: u32, column: u32) -> String {
    match (line, column) {
        (0, _) => file.to_owned(),
        (line, 0) => format!("{file}:{line}"),
        (line, column) => format!("{file}:{line}:{column}"),
    }
}

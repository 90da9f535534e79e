//! Texts that fit: into a sentence, a mail, a document.

use super::{Ended, Ran};
use crate::model::{Case, CaseOutcome, Issue, IssueSummary, Report, StepKind, StepOutcome};
use crate::pipeline::place::place;

/// Characters of a sentence, a name, or a message in a list.
pub(super) const SHORT: usize = 300;

/// Characters of a message that is shown alone.
const LONG: usize = 1_500;

/// At most `max` characters, with a mark where it was cut.
pub(in crate::pipeline) fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// At most `max` of them, each cut to size.
pub(super) fn first(issues: &[Issue], max: usize) -> Vec<Issue> {
    let short = |issue: &Issue| Issue {
        file: shortened(&issue.file, SHORT),
        rule: shortened(&issue.rule, SHORT),
        message: shortened(&issue.message, SHORT),
        ..*issue
    };
    issues.iter().take(max).map(short).collect()
}

fn short_case(case: &Case, max: usize) -> Case {
    Case {
        suite: shortened(&case.suite, SHORT),
        name: shortened(&case.name, SHORT),
        outcome: case.outcome,
        message: shortened(case.message.trim(), max),
        file: case.file.as_deref().map(|file| shortened(file, SHORT)),
        line: case.line,
    }
}

/// The failing tests of a mail: at most ten, those with a place first.
pub(super) fn located<'a>(failed: impl Iterator<Item = &'a Case>) -> Vec<Case> {
    let mut cases: Vec<&Case> = failed.collect();
    cases.sort_by_key(|case| case.line.is_none());
    cases.into_iter().take(10).map(|case| short_case(case, LONG)).collect()
}

/// What of a report fits into the build's document: failed cases first.
pub(super) fn kept(report: &Report) -> Report {
    let mut cases: Vec<&Case> = report.cases.iter().collect();
    cases.sort_by_key(|case| match case.outcome {
        CaseOutcome::Failed => 0,
        CaseOutcome::Passed | CaseOutcome::Skipped => 1,
    });
    Report {
        cases: cases
            .into_iter()
            .take(StepOutcome::CASES_KEPT)
            .map(|case| short_case(case, SHORT))
            .collect(),
        issues: first(&report.issues, StepOutcome::CASES_KEPT),
    }
}

/// What of the findings fits into the build's document.
pub(super) fn kept_issues(issues: &IssueSummary) -> IssueSummary {
    IssueSummary {
        new: first(&issues.new, StepOutcome::CASES_KEPT),
        fixed: first(&issues.fixed, StepOutcome::CASES_KEPT),
        outstanding: first(&issues.outstanding, StepOutcome::CASES_KEPT),
    }
}

/// The sentence, with the first place in the checkout that the output names.
pub(super) fn with_place(sentence: String, ran: &Ran<'_>) -> String {
    match place(&ran.tail.join("\n"), ran.checkout) {
        Some((file, line)) => format!("{sentence}, at {file}:{line}"),
        None => sentence,
    }
}

/// What npm says went wrong, in its own short word: `ECONNREFUSED`, `EINTEGRITY`.
pub(super) fn npm_code(tail: &[String]) -> Option<&str> {
    let marks = ["npm error code ", "npm ERR! code "];
    tail.iter().find_map(|line| marks.iter().find_map(|mark| line.strip_prefix(mark)))
}

/// Whether a code of npm's is about the way to the registry.
fn is_network(code: &str) -> bool {
    matches!(
        code,
        "ECONNREFUSED"
            | "ECONNRESET"
            | "ENOTFOUND"
            | "ETIMEDOUT"
            | "EAI_AGAIN"
            | "ERR_SOCKET_TIMEOUT"
    )
}

/// One thing to try.
pub(super) fn hint(ran: &Ran<'_>) -> String {
    let command = shortened(ran.command, SHORT);
    match (&ran.ended, ran.kind) {
        (Ended::TimedOut(_), _) => {
            "raise [build] timeout in toehold.toml if it needs longer".to_owned()
        }
        (Ended::Silent(_), _) => {
            "raise [build] idle_timeout in toehold.toml if it may be silent for longer".to_owned()
        }
        (Ended::Stopped(_) | Ended::NotStarted(_), _) => String::new(),
        (Ended::Code(127), _) => format!(
            "a program of `{command}` is not there: install it on this machine, or name another \
             command in [build] {}",
            ran.kind
        ),
        (Ended::Code(_), StepKind::Install) if npm_code(ran.tail).is_some_and(is_network) => {
            "see whether this machine reaches the registry: `npm ping`".to_owned()
        }
        (Ended::Code(_) | Ended::Signal(_), StepKind::Install) => {
            format!("run `{command}` in a clean clone")
        }
        (Ended::Code(_) | Ended::Signal(_), _) => format!("run `{command}` in your checkout"),
    }
}

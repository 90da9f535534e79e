//! What the end of a step's command meant.

mod ended;
mod lint;
mod tests_step;
mod words;

pub use ended::Ended;

use std::collections::BTreeMap;

use crate::model::{CaseOutcome, Failure, Issue, Report, StepKind, StepOutcome, TestCounts};
use crate::pipeline::place::place;
use crate::pipeline::tool::tool;
pub(super) use words::shortened;
use words::{SHORT, first};

/// All that is known of a command that has ended.
#[derive(Clone, Debug)]
pub struct Ran<'a> {
    /// The step.
    pub kind: StepKind,
    /// The command.
    pub command: &'a str,
    /// The scripts of `package.json`, which tell what `npm test` runs.
    pub scripts: &'a BTreeMap<String, String>,
    /// How it ended.
    pub ended: Ended,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What became of each report that is named for this step.
    pub evidence: Vec<Evidence>,
    /// The last lines of its output, clean and redacted, a few hundred.
    pub tail: &'a [String],
    /// The absolute path of the checkout, by which places are told.
    pub checkout: &'a str,
    /// The findings of the last good build of the track.
    pub baseline: &'a [Issue],
    /// Whether outstanding findings let a failing style check pass.
    pub ratchet: bool,
}

/// A format of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `JUnit` XML.
    Junit,
    /// Test Anything Protocol.
    Tap,
    /// Checkstyle XML.
    Checkstyle,
    /// Static Analysis Results Interchange Format 2.1.0.
    Sarif,
}

impl Format {
    /// The key in `[build.reports]`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Checkstyle => "checkstyle",
            Self::Sarif => "sarif",
        }
    }

    /// Whether it holds tests, of which there must be one; a linter that finds nothing is well.
    const fn holds_tests(self) -> bool {
        match self {
            Self::Junit | Self::Tap => true,
            Self::Checkstyle | Self::Sarif => false,
        }
    }
}

/// What became of a report that is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Its format.
    pub format: Format,
    /// Its pattern in `[build.reports]`.
    pub pattern: String,
    /// What was found there.
    pub found: Found,
}

/// What was found where a report should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// All files that match, read.
    Read(Report),
    /// No file matches.
    Missing,
    /// A file matches and cannot be read.
    Broken {
        /// The file, relative to the checkout.
        file: String,
        /// Why.
        why: String,
    },
}

/// The meaning of a step's end.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// For the build's document: cut to what fits there.
    pub outcome: StepOutcome,
    /// Why the build failed, where it did.
    pub failure: Option<Failure>,
    /// Every finding, whole: the baseline of the next build where this one passes.
    pub issues: Vec<Issue>,
}

/// Says what a step's end meant: see the rule at the head of [`crate::pipeline`].
#[must_use]
pub fn outcome(ran: &Ran<'_>) -> Judged {
    let read = Read::of(ran);
    let (verdict, issues) = match ran.kind {
        StepKind::Lint => lint::judge(ran, &read),
        StepKind::Test => (tests_step::judge(ran, &read), None),
        StepKind::Fetch | StepKind::Install | StepKind::Artifact => (plain(ran), None),
    };
    let Verdict { summary, what, tests, cases, counting, hint } = verdict;
    let failure = what.map(|what| Failure {
        step: ran.kind,
        what: shortened(&what, SHORT),
        exit: ran.ended.words(),
        cases,
        issues: first(&counting, 10),
        tail: ran.tail.iter().skip(ran.tail.len().saturating_sub(30)).cloned().collect(),
        hint,
    });
    let outcome = StepOutcome {
        kind: ran.kind,
        passed: failure.is_none(),
        summary,
        took_ms: ran.took_ms,
        tests,
        report: words::kept(&read.report),
        issues: issues.as_ref().map(words::kept_issues),
    };
    Judged { outcome, failure, issues: read.report.issues }
}

/// What was decided of a step, before it is cut to size.
#[derive(Debug, Default)]
struct Verdict {
    summary: String,
    /// Why it failed, one sentence; `None` where it passed.
    what: Option<String>,
    tests: Option<TestCounts>,
    cases: Vec<crate::model::Case>,
    counting: Vec<Issue>,
    hint: String,
}

/// The reports of a step, all together.
struct Read {
    tool: String,
    report: Report,
    /// Whether any report is named for the step.
    named: bool,
    /// What is wrong with a named report, and the cure.
    broken: Option<(String, String)>,
}

impl Read {
    fn of(ran: &Ran<'_>) -> Self {
        let tool = tool(ran.command, ran.scripts);
        let mut read =
            Self { tool, report: Report::default(), named: !ran.evidence.is_empty(), broken: None };
        for Evidence { format, pattern, found } in &ran.evidence {
            let cure =
                format!("mend [build.reports] {} in toehold.toml, or leave it out", format.key());
            let broken = match found {
                Found::Missing => Some((format!("no report matches `{pattern}`"), cure)),
                Found::Broken { file, why } => {
                    let hint =
                        "look at how the report is written, and whether its writer was cut off";
                    Some((format!("the report {file} cannot be read: {why}"), hint.to_owned()))
                }
                Found::Read(report) if format.holds_tests() && report.cases.is_empty() => {
                    Some((format!("the report `{pattern}` holds no test"), cure))
                }
                Found::Read(report) => {
                    read.report.merge(report.clone());
                    None
                }
            };
            read.broken = read.broken.or(broken);
        }
        // Places that the reader of the report could not tell are told by the messages.
        for case in &mut read.report.cases {
            if case.outcome == CaseOutcome::Failed
                && case.line.is_none()
                && let Some((file, line)) = place(&case.message, ran.checkout)
            {
                (case.file, case.line) = (Some(file), Some(line));
            }
        }
        read
    }
}

/// A step without reports of its own.
fn plain(ran: &Ran<'_>) -> Verdict {
    let what = (!ran.ended.passed()).then(|| {
        let what = format!("`{}` {}", ran.command, ran.ended.happened());
        match words::npm_code(ran.tail) {
            Some(code) => format!("{what}: {code}"),
            None => words::with_place(what, ran),
        }
    });
    let summary = if what.is_none() { ran.command.to_owned() } else { ran.ended.words() };
    Verdict { summary: shortened(&summary, 80), hint: words::hint(ran), what, ..Verdict::default() }
}

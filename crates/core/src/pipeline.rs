//! The pipeline: which step is next, and what its outcome meant.
//!
//! The rule of every step: **the exit code decides, the report explains**. A command that ends with
//! anything but 0 fails its step, whatever its report says; some runners write a report without a
//! failure although something outside the tests broke. A command that ends with 0 fails its step
//! only where a named report contradicts it: it is missing, cannot be read, holds no test, or holds
//! a test that failed. For a linter, findings beside an exit code of 0 are for people to see.

mod counts;
mod detect;
mod fit;
mod issues;
mod outcome;
mod place;
mod tool;

#[cfg(test)]
mod tests;

pub use detect::{DetectError, Detected, Files, detect};
pub use fit::fit;
pub use issues::compare;
pub use outcome::{Ended, Evidence, Format, Found, Judged, Ran, outcome};
pub use place::{inside, place};

use std::collections::BTreeMap;

use crate::model::{StepKind, StepOutcome, StepVerdict};
use crate::spec::BuildSpec;

/// The step that comes after those that have ended; `None` after the last, or where one of them
/// did not pass. Steps without a command are passed over.
#[must_use]
pub fn next(build: &BuildSpec, ended: &[StepOutcome]) -> Option<StepKind> {
    if ended.iter().any(|step| !step.passed) {
        return None;
    }
    let last = ended.last().map(|step| step.kind);
    StepKind::ALL.into_iter().find(|kind| Some(*kind) > last && has_work(build, *kind))
}

/// The command of a step; `None` where it has none, or is Toehold's own work.
#[must_use]
pub fn command(build: &BuildSpec, kind: StepKind) -> Option<&str> {
    match kind {
        StepKind::Install => build.install.as_deref(),
        StepKind::Test => build.test.as_deref(),
        StepKind::Lint => build.lint.as_deref(),
        StepKind::Fetch | StepKind::Artifact => None,
    }
}

fn has_work(build: &BuildSpec, kind: StepKind) -> bool {
    matches!(kind, StepKind::Fetch | StepKind::Artifact) || command(build, kind).is_some()
}

/// What an artifact carries of each step that ran, and of those that could not.
#[must_use]
pub fn verdicts(build: &BuildSpec, ended: &[StepOutcome]) -> BTreeMap<StepKind, StepVerdict> {
    let passed_over = StepKind::ALL
        .into_iter()
        .filter(|kind| !has_work(build, *kind))
        .map(|kind| (kind, StepVerdict { passed: true, summary: "not configured".to_owned() }));
    let ran = ended.iter().map(|step| {
        (step.kind, StepVerdict { passed: step.passed, summary: step.summary.clone() })
    });
    passed_over.chain(ran).collect()
}

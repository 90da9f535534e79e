//! Reports of tests and linters, whatever tool wrote them.

use serde::{Deserialize, Serialize};

/// What the reports of one step say, all files together. The exit code decides; this explains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each test, in the order it was reported.
    pub cases: Vec<Case>,
    /// Each finding of a linter.
    pub issues: Vec<Issue>,
}

impl Report {
    /// How many cases had this outcome.
    #[must_use]
    pub fn count(&self, outcome: CaseOutcome) -> usize {
        self.cases.iter().filter(|case| case.outcome == outcome).count()
    }

    /// Takes in what another file said.
    pub fn merge(&mut self, other: Self) {
        self.cases.extend(other.cases);
        self.issues.extend(other.issues);
    }
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The suite or class, as the tool names it; may be empty.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How it went.
    pub outcome: CaseOutcome,
    /// For one that did not pass: what was expected and what came, every failure of the case.
    pub message: String,
    /// The file of the failing assertion, where the report or a stack trace in it tells.
    pub file: Option<String>,
    /// Its line, counted from 1.
    pub line: Option<u32>,
}

/// How a test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseOutcome {
    /// As expected.
    Passed,
    /// An assertion did not hold, or the test broke.
    Failed,
    /// It was not run, or its failure is expected.
    Skipped,
}

/// A finding of a linter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Issue {
    /// The file, relative to the checkout where that could be told.
    pub file: String,
    /// The line, counted from 1; 0 where the report has none.
    pub line: u32,
    /// The column, counted from 1; 0 where the report has none.
    pub column: u32,
    /// How bad it is.
    pub severity: Severity,
    /// The rule that found it: `jshint.W033`.
    pub rule: String,
    /// What is wrong.
    pub message: String,
}

/// How bad a finding is, mild first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// To know.
    Info,
    /// To look at.
    Warning,
    /// To mend.
    Error,
}

/// Findings against those of the last good build of the track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueSummary {
    /// Not there before.
    pub new: Vec<Issue>,
    /// There before and gone.
    pub fixed: Vec<Issue>,
    /// There before and still there.
    pub outstanding: Vec<Issue>,
}

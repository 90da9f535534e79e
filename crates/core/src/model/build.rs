//! Builds: from a commit to an artifact, or to the reason why not.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    AppName, BranchName, Case, CommitId, Digest, Issue, IssueSummary, Number, Report, Track,
};
use crate::time::Timestamp;

/// One run of the pipeline. Its output lies in a file, not in here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The app.
    pub app: AppName,
    /// Its number; the release it becomes has the same.
    pub number: Number,
    /// The commit.
    pub commit: CommitId,
    /// The branch it was pushed to.
    pub branch: BranchName,
    /// Where it is to run.
    pub track: Track,
    /// The first line of the commit's message.
    pub subject: String,
    /// The commit's author, `Name <mail>`.
    pub author: String,
    /// What asked for it.
    pub trigger: Trigger,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// When the first step began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub phase: BuildPhase,
    /// The steps that have ended, in order.
    pub steps: Vec<StepOutcome>,
    /// The revision of the event that asked for it, for `toehold why`.
    pub cause: Option<u64>,
}

/// What asked for a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trigger", rename_all = "snake_case")]
pub enum Trigger {
    /// `git push` to Toehold.
    Push,
    /// A forge's webhook, by its delivery id.
    Webhook {
        /// `github`.
        forge: String,
        /// The delivery's id.
        delivery: String,
    },
    /// A look at the forge, for what a lost webhook would have told of.
    Poll {
        /// `github`.
        forge: String,
    },
    /// A person or a job, through the API: `toehold deploy`, `POST /deploy`.
    Asked {
        /// Who.
        by: String,
        /// The forge its commit came from, where it came from one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forge: Option<String>,
    },
}

impl Trigger {
    /// The forge the commit came from, by the word for it; `None` where it came from none, or nobody
    /// knows.
    #[must_use]
    pub fn forge(&self) -> Option<&str> {
        match self {
            Self::Webhook { forge, .. } | Self::Poll { forge } => Some(forge),
            Self::Asked { forge, .. } => forge.as_deref(),
            Self::Push => None,
        }
    }
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BuildPhase {
    /// It waits for the builder.
    Queued,
    /// A step runs.
    Running {
        /// Which.
        step: StepKind,
    },
    /// Every step passed; the release of the same number exists.
    Passed {
        /// The artifact.
        artifact: Digest,
    },
    /// A step did not pass.
    Failed {
        /// What, where and how it ended.
        failure: Failure,
    },
    /// A newer push to the same track took its place.
    Superseded {
        /// By which.
        by: Number,
    },
    /// A person stopped it, or Toehold was killed twice while it ran.
    Cancelled {
        /// Who or what.
        why: String,
    },
}

impl BuildPhase {
    /// Whether it has come to its end.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        match self {
            Self::Queued | Self::Running { .. } => false,
            Self::Passed { .. }
            | Self::Failed { .. }
            | Self::Superseded { .. }
            | Self::Cancelled { .. } => true,
        }
    }
}

/// The steps of the pipeline, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A clean checkout at the commit.
    Fetch,
    /// The app's dependencies, from the cache where the lock file is known.
    Install,
    /// The app's tests.
    Test,
    /// The app's style check.
    Lint,
    /// The archive.
    Artifact,
}

impl StepKind {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Install, Self::Test, Self::Lint, Self::Artifact];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Install => "install",
            Self::Test => "test",
            Self::Lint => "lint",
            Self::Artifact => "artifact",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Which step.
    pub kind: StepKind,
    /// Whether the build may go on.
    pub passed: bool,
    /// One line: `jasmine 38 passed`, `0 new · 2 fixed · 5 outstanding`, `cached`.
    pub summary: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How many tests there were, for a test step whose runner or report tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestCounts>,
    /// What its reports said, at most [`StepOutcome::CASES_KEPT`] cases, failed ones first.
    pub report: Report,
    /// Findings against the last good build, for a lint step.
    pub issues: Option<IssueSummary>,
}

/// Tests of a step, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// As expected.
    pub passed: usize,
    /// An assertion did not hold, or the test broke.
    pub failed: usize,
    /// Not run, or expected to fail.
    pub skipped: usize,
}

impl StepOutcome {
    /// How many cases and how many issues are kept in the document.
    pub const CASES_KEPT: usize = 50;
}

/// Why a build failed: enough for a mail that needs no second look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The step.
    pub step: StepKind,
    /// One sentence: `jasmine: 1 of 38 failed`, `timed out after 10m`, `no report matches …`.
    pub what: String,
    /// How the command ended: `exit code 3`, `killed by SIGSEGV`; empty where none ran.
    pub exit: String,
    /// The failing tests, at most ten.
    pub cases: Vec<Case>,
    /// The findings that count, at most ten.
    pub issues: Vec<Issue>,
    /// The last lines of the step's output, redacted, at most 30.
    pub tail: Vec<String>,
    /// One command to try.
    pub hint: String,
}

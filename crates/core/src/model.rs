//! The words: one for each idea, the same in code, terminal, API, dashboard and documents.

mod alert;
mod app;
mod artifact;
mod build;
mod event;
mod instance;
mod machine;
mod name;
mod release;
mod report;
mod route;

pub use alert::{Alert, AlertPhase, AlertRule, Basis, Measured, Metric, Outside, Silence};
pub use app::{App, Pin, Rollout, RolloutPhase, Scale, ScaleMode, Stable};
pub use artifact::{Digest, Manifest, StepVerdict};
pub use build::{Build, BuildPhase, Failure, StepKind, StepOutcome, TestCounts, Trigger};
pub use event::{Event, EventKind, Subject};
pub use instance::{
    Evidence, Exit, Goal, Instance, InstancePhase, InstanceStatus, Place, Reading, RunId,
};
pub use machine::{Access, Configured, Machine, MachineGoal, MachinePhase, Provider};
pub use name::{AppName, BranchName, CommitId, InstanceId, MachineName, NameError, Number};
pub use release::{HealthCheck, HealthKind, Release, ReleaseVerdict};
pub use report::{Case, CaseOutcome, Issue, IssueSummary, Report, Severity};
pub use route::{Arm, Route, Split, SplitError, Target};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which of the two places a release runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Track {
    /// What everyone gets.
    Stable,
    /// What runs beside stable on a share of the traffic, to be promoted or given back.
    Canary,
}

impl Track {
    /// Both tracks, stable first.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Canary];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Track {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "stable" => Ok(Self::Stable),
            "canary" => Ok(Self::Canary),
            _ => Err(NameError::track(text)),
        }
    }
}

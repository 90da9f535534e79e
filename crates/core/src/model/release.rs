//! Releases: an artifact with the configuration and environment it runs with. Never changed, so
//! that going back to one brings back all of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{AppName, BranchName, CommitId, Digest, Number};
use crate::spec::Spec;
use crate::time::Timestamp;

/// What a green build became.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The app.
    pub app: AppName,
    /// Its number, the same as the build's.
    pub number: Number,
    /// The artifact's digest.
    pub artifact: Digest,
    /// The commit it was made of.
    pub commit: CommitId,
    /// The branch it came by.
    pub branch: BranchName,
    /// The first line of the commit's message.
    pub subject: String,
    /// The configuration in force, whole.
    pub spec: Spec,
    /// Which version of the app's secrets it runs with; `None` where it has none.
    pub secrets: Option<Digest>,
    /// When it was made.
    pub made_at: Timestamp,
    /// What became of it when it was started.
    pub verdict: ReleaseVerdict,
    /// The revision of the event that made it, for `toehold why`.
    pub cause: Option<u64>,
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ReleaseVerdict {
    /// It was not started yet, or has not been healthy yet.
    Untried,
    /// It served everyone.
    Good,
    /// It never became healthy, or was given back.
    Bad {
        /// Why, in words.
        why: String,
    },
}

/// How to see that an instance can serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// What is asked.
    pub kind: HealthKind,
    /// Time between probes.
    pub interval: Duration,
    /// The longest a probe may take.
    pub timeout: Duration,
    /// The longest a new instance may take until its first passed probe.
    pub deadline: Duration,
    /// Probes in a row that must pass before it is healthy.
    pub rise: u32,
    /// Probes in a row that must fail before it is not.
    pub fall: u32,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HealthKind {
    /// `GET path`; 200 to 299 is healthy.
    Http {
        /// Beginning with `/`.
        path: String,
    },
    /// A connection is accepted.
    Tcp,
    /// The command ends with 0.
    Command {
        /// Run by the shell in the instance's folder, with its environment.
        run: String,
    },
}

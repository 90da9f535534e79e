//! `toehold.toml`: what a team says of its app. Nothing in it is required.
//!
//! The text becomes a raw shape (unknown keys refused, the nearest name suggested) and that, once,
//! the true shape below: every value checked, every default filled in.

mod check;
mod defaults;
mod error;
mod raw;
mod show;
mod units;

#[cfg(test)]
mod tests;

pub use defaults::NOTIFY as CHANNELS;
pub use error::SpecError;
pub use show::show;
pub use units::duration;
pub(crate) use units::show_duration;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{AlertRule, AppName, HealthCheck, Provider, Split, StepKind, Track};

/// The configuration of an app, whole: what a release keeps and runs with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The app's name, where the file says it.
    pub app: Option<AppName>,
    /// Branch -> track.
    pub branches: BTreeMap<String, Track>,
    /// How it is built.
    pub build: BuildSpec,
    /// How it is run.
    pub run: RunSpec,
    /// How its health is seen.
    pub health: HealthCheck,
    /// How it is reached.
    pub proxy: ProxySpec,
    /// How a canary is tried.
    pub canary: CanarySpec,
    /// How many instances it has.
    pub scale: ScaleSpec,
    /// When it raises an alert.
    pub alerts: Vec<AlertRule>,
    /// Where it runs.
    #[serde(default)]
    pub machines: MachinesSpec,
    /// Its flags, with the value a flag has when it is first seen.
    pub flags: BTreeMap<String, bool>,
}

impl Spec {
    /// The configuration that the text of a `toehold.toml` describes; what it does not say has its
    /// default. An error names the line, the key and the cure.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let raw = raw::read(text).map_err(|problem| SpecError::new(text, problem))?;
        check::spec(raw).map_err(|problem| SpecError::new(text, problem))
    }
}

/// `[build]`. A command that is `None` was neither named nor detected: its step is passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSpec {
    /// Installs the dependencies.
    pub install: Option<String>,
    /// Runs the tests.
    pub test: Option<String>,
    /// Runs the style check.
    pub lint: Option<String>,
    /// The longest a step may take.
    pub timeout: Duration,
    /// The longest a step may say nothing.
    pub idle_timeout: Duration,
    /// Where the reports lie, as patterns relative to the checkout.
    pub reports: Reports,
    /// Whether a failed build makes `git push` fail.
    pub reject_push: bool,
    /// What the artifact leaves out, as patterns; reports are always left out.
    pub exclude: Vec<String>,
    /// Whether a lint step that fails passes where every finding was there in the last good build.
    #[serde(default)]
    pub lint_ratchet: bool,
    /// The steps that were switched off with `false`: passed over, whatever could be detected.
    #[serde(default)]
    pub off: BTreeSet<StepKind>,
}

/// `[build.reports]`: a report that is named must be there and be readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// `JUnit` XML, of the test step.
    pub junit: Option<String>,
    /// Test Anything Protocol, of the test step.
    pub tap: Option<String>,
    /// Checkstyle XML, of the lint step.
    pub checkstyle: Option<String>,
    /// SARIF 2.1.0, of the lint step.
    #[serde(default)]
    pub sarif: Option<String>,
}

/// `[run]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Starts the app; it listens on `$PORT`. `None` where neither named nor detected: nothing can
    /// be deployed.
    pub web: Option<String>,
    /// Runs once before a release gets traffic.
    pub release: Option<String>,
    /// The environment, beside what Toehold gives.
    pub env: BTreeMap<String, String>,
    /// The names of the secrets it gets as environment.
    pub secrets: Vec<String>,
    /// Its allotment of CPU, in cores.
    pub cpus: f64,
    /// Its allotment of memory, in bytes.
    pub memory_bytes: u64,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

/// `[machines]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinesSpec {
    /// Who gives them.
    pub provider: Provider,
    /// The size of a machine, as an elastic provider calls it; its default where absent.
    pub size: Option<String>,
    /// What a machine is configured by before it takes the app.
    pub playbook: Option<PlaybookSpec>,
}

/// An Ansible playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookSpec {
    /// Where it lies: a path in the repository, without `..`.
    pub path: String,
    /// The longest it may take for all the machines it is run on at once.
    pub timeout: Duration,
}

/// `[proxy]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxySpec {
    /// The hosts it answers to; `<app>.localhost` always does.
    pub hosts: Vec<String>,
    /// The longest an instance is drained before it is stopped.
    pub drain: Duration,
    /// Whether a visitor stays on the track first drawn, by a signed cookie.
    pub sticky: bool,
    /// The longest a request may take to be answered.
    pub timeout: Duration,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: u64,
}

/// `[canary]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CanarySpec {
    /// stable:canary, where no steps are given.
    pub split: Split,
    /// The shares it goes through; it stays at the last until it is promoted.
    pub steps: Vec<Step>,
    /// How many instances it has.
    pub instances: u32,
}

/// One step of a canary: `5% for 2m`, or `approve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A share for a time.
    Share {
        /// The split.
        split: Split,
        /// For how long.
        hold: Duration,
    },
    /// Wait for `toehold rollout promote` (or `resume`, where steps follow).
    Approve,
}

/// `[scale]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleSpec {
    /// Never fewer than this.
    pub min: u32,
    /// Never more than this.
    pub max: u32,
    /// The CPU that is aimed at, in percent of an instance's allotment; `None`: CPU does not scale.
    pub cpu_percent: Option<f64>,
    /// The memory that is aimed at, in percent of an instance's allotment; `None`: memory does not
    /// scale.
    pub memory_percent: Option<f64>,
    /// The window the load is averaged over, before it counts as sustained.
    pub window: Duration,
    /// The least time between a change and one more instance.
    pub cooldown_out: Duration,
    /// The least time between a change and one fewer instance.
    pub cooldown_in: Duration,
}

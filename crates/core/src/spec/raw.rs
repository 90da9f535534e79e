//! `toehold.toml` as it is written: every key there is, each with what it means. Unknown keys are
//! refused. The reference of the file is made from the comments on the keys.

mod value;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::model::{AppName, BranchName, Split, Track};
use crate::spec::error::Problem;
use value::{Alert, Channel, Clear, Command, Duration, EnvName, EnvValue, FlagKey, Host};
use value::{Path, Pattern, RuleName, Size, StepCommand, Target, When};

pub(super) use value::{
    Alert as RawAlert, Duration as RawDuration, Line, StepCommand as RawStepCommand,
    Target as RawTarget,
};

/// Reads the text; what is not said stays `None`.
pub(super) fn read(text: &str) -> Result<RawSpec, Problem> {
    toml::from_str(text).map_err(Problem::from)
}

/// The whole file. Nothing in it is required.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSpec {
    /// The app's name; by default the name of the repository it is pushed to.
    pub(super) app: Option<AppName>,
    /// Which branch goes to which track: `main = "stable"`. What is written here replaces the
    /// default, which is `main` and `master` to stable and `canary` to canary.
    pub(super) branches: Option<Spanned<BTreeMap<BranchName, Track>>>,
    /// How the app is built, tested and checked.
    pub(super) build: RawBuild,
    /// How the app is run.
    pub(super) run: RawRun,
    /// How Toehold sees that an instance can serve.
    pub(super) health: RawHealth,
    /// How the app is reached.
    pub(super) proxy: RawProxy,
    /// How a canary is tried.
    pub(super) canary: RawCanary,
    /// How many instances the app has.
    pub(super) scale: RawScale,
    /// When an alert is raised, by name; `false` switches a rule off that is there by default.
    /// By default `cpu` and `memory` each raise one above 45 %.
    pub(super) alerts: BTreeMap<RuleName, Alert>,
    /// Where instances run.
    pub(super) machines: RawMachines,
    /// The app's flags. `feature1` is always there, and on unless it is said otherwise.
    pub(super) flags: BTreeMap<FlagKey, RawFlag>,
    /// What differs in an environment such as staging; not in this version.
    pub(super) env: Option<Spanned<BTreeMap<String, toml::Value>>>,
}

/// `[build]`. The commands are run by `sh -c` in a clean checkout. What is not named is detected
/// from `package.json`, `Cargo.toml`, `pyproject.toml`, `requirements.txt` or `Procfile`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBuild {
    /// Installs the dependencies, such as `npm ci`; `false`: there is nothing to install.
    pub(super) install: Option<StepCommand>,
    /// Runs the tests, such as `npx jasmine`; `false`: there are none.
    pub(super) test: Option<StepCommand>,
    /// Runs the style check; `false`: there is none.
    pub(super) lint: Option<StepCommand>,
    /// The longest a step may take; `10m` by default.
    pub(super) timeout: Option<Spanned<Duration>>,
    /// The longest a step may say nothing; `5m` by default.
    pub(super) idle_timeout: Option<Spanned<Duration>>,
    /// Where the reports of tests and style checks lie.
    pub(super) reports: RawReports,
    /// Whether `git push` fails when the build does; `false` by default.
    pub(super) reject_push: Option<bool>,
    /// What the artifact leaves out, as patterns such as `docs/**`.
    pub(super) exclude: Option<Vec<Pattern>>,
    /// Whether findings of the style check that were there in the last good build let a failing
    /// style check pass; `false` by default.
    pub(super) lint_ratchet: Option<bool>,
}

/// `[build.reports]`. A report that is named must be there after the step, be readable and, for
/// tests, hold at least one; else the step fails, whatever its exit code.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawReports {
    /// `JUnit` XML of the tests, as a pattern: `reports/**/*.xml`.
    pub(super) junit: Option<Pattern>,
    /// Test Anything Protocol of the tests, as a pattern.
    pub(super) tap: Option<Pattern>,
    /// Checkstyle XML of the style check, as a pattern.
    pub(super) checkstyle: Option<Pattern>,
    /// SARIF 2.1.0 of the style check, as a pattern.
    pub(super) sarif: Option<Pattern>,
}

/// `[run]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRun {
    /// Starts the app, such as `node main.js`; it listens on `$PORT`.
    pub(super) web: Option<Command>,
    /// Runs once before a release gets traffic, such as `node migrate.js`; for 5 min at most.
    pub(super) release: Option<Command>,
    /// The environment of the app, beside what Toehold gives.
    pub(super) env: BTreeMap<EnvName, EnvValue>,
    /// The names of the secrets the app gets as environment; a build fails where one is not set
    /// with `toehold secrets set`.
    pub(super) secrets: Vec<Spanned<EnvName>>,
    /// The allotment of CPU of an instance, in cores; `1.0` by default.
    pub(super) cpus: Option<Spanned<f64>>,
    /// The allotment of memory of an instance; `512MiB` by default.
    pub(super) memory: Option<Spanned<Size>>,
    /// The time between SIGTERM and SIGKILL; `10s` by default.
    pub(super) grace: Option<Duration>,
}

/// `[health]`. One of `path`, `tcp` and `command`; `path = "/"` by default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHealth {
    /// An instance is healthy when `GET path` gives 200 to 299.
    pub(super) path: Option<Spanned<Path>>,
    /// An instance is healthy when it accepts a connection.
    pub(super) tcp: Option<Spanned<bool>>,
    /// An instance is healthy when this command ends with 0.
    pub(super) command: Option<Spanned<Command>>,
    /// The time between two probes; `2s` by default.
    pub(super) interval: Option<Spanned<Duration>>,
    /// The longest a probe may take; `2s` by default.
    pub(super) timeout: Option<Spanned<Duration>>,
    /// The longest a new instance may take to become healthy; `60s` by default.
    pub(super) deadline: Option<Spanned<Duration>>,
    /// Probes in a row that must pass before an instance is healthy; 1 by default.
    pub(super) rise: Option<Spanned<u32>>,
    /// Probes in a row that must fail before it is not; 3 by default.
    pub(super) fall: Option<Spanned<u32>>,
}

/// `[proxy]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProxy {
    /// The host names the app answers to; `<app>.localhost` always does.
    pub(super) hosts: Vec<Host>,
    /// The longest an instance may take to finish its requests before it is stopped; `30s` by
    /// default.
    pub(super) drain: Option<Duration>,
    /// Whether a visitor stays on the track first drawn, by a signed cookie; `false` by default.
    pub(super) sticky: Option<bool>,
    /// The longest a request may take to be answered; `60s` by default.
    pub(super) timeout: Option<Spanned<Duration>>,
    /// The largest body of a request; `64MiB` by default.
    pub(super) max_body: Option<Size>,
}

/// `[canary]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCanary {
    /// stable:canary, such as `2:1` (the default), or the canary's share, such as `20%`.
    pub(super) split: Option<Split>,
    /// The shares a canary goes through instead: `["5% for 2m", "33% for 10m", "approve"]`.
    pub(super) steps: Vec<value::Step>,
    /// How many instances a canary has; 1 by default.
    pub(super) instances: Option<Spanned<u32>>,
}

/// `[scale]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScale {
    /// Never fewer instances than this; 1 by default.
    pub(super) min: Option<Spanned<u32>>,
    /// Never more instances than this; 4 by default, or `min` where that is more.
    pub(super) max: Option<Spanned<u32>>,
    /// The CPU that is aimed at, in percent of an instance's allotment; `45%` by default, `off`:
    /// CPU does not scale.
    pub(super) cpu: Option<Target>,
    /// The memory that is aimed at, likewise.
    pub(super) memory: Option<Target>,
    /// The window the load is averaged over; `60s` by default.
    pub(super) window: Option<Spanned<Duration>>,
    /// The least time between a change and one more instance; `60s` by default.
    pub(super) cooldown_out: Option<Duration>,
    /// The least time between a change and one fewer instance; `5m` by default.
    pub(super) cooldown_in: Option<Duration>,
}

/// `[alerts.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRule {
    /// Raised on this condition: `cpu > 45% for 1m`. Only the rules `cpu` and `memory` have one by
    /// default.
    pub(super) when: Option<Spanned<When>>,
    /// Cleared on this condition: `cpu < 40%`; five points below the threshold by default.
    pub(super) clear: Option<Spanned<Clear>>,
    /// The least time between two messages about the same instance; `10m` by default.
    pub(super) quiet: Option<Duration>,
    /// Where it is sent: `mail`, `webhook`, `slack`, `discord`, `teams`, `ntfy`; by default to
    /// each that is set up.
    pub(super) notify: Option<Vec<Channel>>,
}

/// `[machines]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawMachines {
    /// Where instances run: `local`, as processes of the machine Toehold runs on; `ssh`, on the
    /// machines that were added with `toehold machines add`; `digitalocean`, on machines made for
    /// this app.
    pub(super) provider: Option<Spanned<Line>>,
    /// The size of a machine, where the provider makes machines: `s-1vcpu-1gb` by default.
    pub(super) size: Option<Spanned<Line>>,
    /// An Ansible playbook of the repository, such as `ops/site.yml`: it is run on each machine
    /// before the machine takes the app.
    pub(super) playbook: Option<Spanned<Line>>,
    /// The longest a run of the playbook may take; `15m` by default.
    pub(super) playbook_timeout: Option<Spanned<Duration>>,
}

/// `[flags]`: one flag, `{ default = true }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFlag {
    /// The value the flag has until somebody sets it.
    pub(super) default: bool,
}

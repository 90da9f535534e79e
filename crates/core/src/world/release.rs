//! Releases of the pretend world.

use std::time::Duration;

use super::dice::Dice;
use crate::model::{
    AlertRule, AppName, BranchName, CommitId, Digest, HealthCheck, Metric, Number, Release,
    ReleaseVerdict,
};
use crate::spec::{CanarySpec, ProxySpec, RunSpec, ScaleSpec, Spec, Step};
use crate::time::Timestamp;

/// What a release is like when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It does what it should.
    Sound,
    /// It starts, and never answers its health check.
    Sick,
    /// It dies a moment after each start.
    Dies,
    /// It cannot be started at all.
    Unstartable,
    /// It uses far too much CPU as soon as it gets requests.
    Burns,
}

pub(super) fn app_name() -> AppName {
    "shop".parse().expect("it is a name of an app")
}

/// A release with a configuration.
pub(super) fn release(number: Number, spec: Spec, now: Timestamp) -> Release {
    let hex = format!("{:040x}", number.0);
    Release {
        app: app_name(),
        number,
        artifact: Digest::of(hex.as_bytes()),
        commit: hex.parse::<CommitId>().expect("it has forty hex digits"),
        branch: "main".parse::<BranchName>().expect("git allows it"),
        subject: format!("change {number}"),
        spec,
        secrets: None,
        made_at: now,
        verdict: ReleaseVerdict::Untried,
        cause: None,
    }
}

/// A configuration that differs a little from the next one, as in life. Times are short.
pub(super) fn any_spec(dice: &mut Dice) -> Spec {
    let usual = Spec::default();
    Spec {
        app: Some(app_name()),
        run: RunSpec { web: Some("node main.js".into()), ..usual.run },
        health: HealthCheck { deadline: Duration::from_secs(10), ..usual.health },
        proxy: ProxySpec { drain: Duration::from_secs(8), ..usual.proxy },
        canary: CanarySpec {
            steps: steps(dice),
            instances: if dice.chance(25) { 2 } else { 1 },
            ..usual.canary
        },
        scale: scale(dice),
        alerts: vec![AlertRule {
            name: "cpu".into(),
            metric: Metric::Cpu,
            above: 45.0,
            below: 40.0,
            window: Duration::from_secs(12),
            quiet: Duration::from_mins(1),
            notify: vec!["mail".into()],
        }],
        ..usual
    }
}

fn scale(dice: &mut Dice) -> ScaleSpec {
    let min = if dice.chance(30) { 2 } else { 1 };
    ScaleSpec {
        min,
        max: min + dice.below(4),
        cpu_percent: Some(45.0),
        memory_percent: Some(80.0),
        window: Duration::from_secs(12),
        cooldown_out: Duration::from_secs(10),
        cooldown_in: Duration::from_secs(20),
    }
}

fn steps(dice: &mut Dice) -> Vec<Step> {
    if !dice.chance(30) {
        return Vec::new();
    }
    let share = |text: &str, seconds| Step::Share {
        split: text.parse().expect("it is a split"),
        hold: Duration::from_secs(seconds),
    };
    vec![share("5%", 10), share("33%", 15), Step::Approve, share("60%", 5)]
}

//! Every default of `toehold.toml`, in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{AlertRule, HealthCheck, HealthKind, Metric, Split, Track};
use crate::spec::{
    BuildSpec, CanarySpec, MachinesSpec, ProxySpec, Reports, RunSpec, ScaleSpec, Spec,
};

/// The flag every app has, on until it is switched off.
pub(super) const FLAG: &str = "feature1";

/// Where an alert is sent when its rule does not say.
pub const NOTIFY: [&str; 6] = ["mail", "webhook", "slack", "discord", "teams", "ntfy"];

/// `[scale] max`, unless `min` is larger.
pub(super) const SCALE_MAX: u32 = 4;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

impl Default for Spec {
    /// What an app has that says nothing.
    fn default() -> Self {
        Self {
            app: None,
            branches: branches(),
            build: build(),
            run: run(),
            health: health(),
            proxy: proxy(),
            canary: canary(),
            scale: scale(),
            alerts: alerts(),
            machines: MachinesSpec::default(),
            flags: BTreeMap::from([(FLAG.to_owned(), true)]),
        }
    }
}

/// `[machines] playbook_timeout`.
pub(super) const PLAYBOOK_TIMEOUT: Duration = seconds(15 * 60);

pub(super) fn branches() -> BTreeMap<String, Track> {
    [("main", Track::Stable), ("master", Track::Stable), ("canary", Track::Canary)]
        .map(|(branch, track)| (branch.to_owned(), track))
        .into()
}

pub(super) fn build() -> BuildSpec {
    BuildSpec {
        install: None,
        test: None,
        lint: None,
        timeout: seconds(600),
        idle_timeout: seconds(300),
        reports: Reports::default(),
        reject_push: false,
        exclude: Vec::new(),
        lint_ratchet: false,
        off: BTreeSet::new(),
    }
}

pub(super) fn run() -> RunSpec {
    RunSpec {
        web: None,
        release: None,
        env: BTreeMap::new(),
        secrets: Vec::new(),
        cpus: 1.0,
        memory_bytes: 512 * 1024 * 1024,
        grace: seconds(10),
    }
}

pub(super) fn health() -> HealthCheck {
    HealthCheck {
        kind: HealthKind::Http { path: "/".to_owned() },
        interval: seconds(2),
        timeout: seconds(2),
        deadline: seconds(60),
        rise: 1,
        fall: 3,
    }
}

pub(super) fn proxy() -> ProxySpec {
    ProxySpec {
        hosts: Vec::new(),
        drain: seconds(30),
        sticky: false,
        timeout: seconds(60),
        max_body_bytes: 64 * 1024 * 1024,
    }
}

pub(super) fn canary() -> CanarySpec {
    CanarySpec { split: Split::DEFAULT, steps: Vec::new(), instances: 1 }
}

pub(super) fn scale() -> ScaleSpec {
    ScaleSpec {
        min: 1,
        max: SCALE_MAX,
        cpu_percent: Some(45.0),
        memory_percent: Some(45.0),
        window: seconds(60),
        cooldown_out: seconds(60),
        cooldown_in: seconds(300),
    }
}

/// One rule a metric, under the metric's name.
pub(super) fn alerts() -> Vec<AlertRule> {
    [Metric::Cpu, Metric::Memory].map(|metric| alert(metric.as_str(), metric)).into()
}

/// What a rule has that says nothing but its metric.
pub(super) fn alert(name: &str, metric: Metric) -> AlertRule {
    AlertRule {
        name: name.to_owned(),
        metric,
        above: 45.0,
        below: 40.0,
        window: seconds(60),
        quiet: seconds(600),
        notify: NOTIFY.map(str::to_owned).into(),
    }
}

/// Where an alert is cleared when its rule names only the threshold: five points below it, and
/// never less than half of it.
pub(super) fn below(above: f64) -> f64 {
    (above - 5.0).max(above / 2.0)
}

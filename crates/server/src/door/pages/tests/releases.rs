//! The releases of `shop`.

use std::time::Duration;

use toehold_core::model::{
    AppName, Digest, HealthCheck, HealthKind, Number, Release, ReleaseVerdict, Split,
};
use toehold_core::spec::{BuildSpec, CanarySpec, ProxySpec, Reports, RunSpec, ScaleSpec, Spec};
use toehold_core::wire::api::ReleaseView;

use super::fixture::NOW;

pub(super) fn three() -> Vec<ReleaseView> {
    vec![
        one(43, "Greet by name", "canary"),
        one(42, "Add token endpoint", "serving"),
        one(41, "Keep tokens in a file all instances share", "good"),
    ]
}

fn one(number: u64, subject: &str, state: &str) -> ReleaseView {
    let app: AppName = "shop".parse().expect("a name");
    let release = Release {
        app,
        number: Number(number),
        artifact: Digest::of(subject.as_bytes()),
        commit: "8c1f2abddddddddddddddddddddddddddddddddd".parse().expect("a commit"),
        branch: "main".parse().expect("a branch"),
        subject: subject.into(),
        spec: spec(),
        secrets: None,
        made_at: NOW,
        verdict: ReleaseVerdict::Good,
        cause: None,
    };
    ReleaseView { release, state: state.into() }
}

fn spec() -> Spec {
    let second = Duration::from_secs(1);
    Spec {
        app: None,
        branches: std::collections::BTreeMap::default(),
        build: BuildSpec {
            install: None,
            test: None,
            lint: None,
            timeout: second,
            idle_timeout: second,
            reports: Reports::default(),
            reject_push: false,
            exclude: Vec::new(),
        },
        run: RunSpec {
            web: None,
            release: None,
            env: std::collections::BTreeMap::default(),
            secrets: Vec::new(),
            cpus: 1.0,
            memory_bytes: 1,
            grace: second,
        },
        health: HealthCheck {
            kind: HealthKind::Tcp,
            interval: second,
            timeout: second,
            deadline: second,
            rise: 1,
            fall: 1,
        },
        proxy: ProxySpec {
            hosts: Vec::new(),
            drain: second,
            sticky: true,
            timeout: second,
            max_body_bytes: 1,
        },
        canary: CanarySpec { split: Split::DEFAULT, steps: Vec::new(), instances: 1 },
        scale: ScaleSpec {
            min: 1,
            max: 4,
            cpu_percent: None,
            memory_percent: None,
            window: second,
            cooldown_out: second,
            cooldown_in: second,
        },
        alerts: Vec::new(),
        flags: std::collections::BTreeMap::default(),
    }
}

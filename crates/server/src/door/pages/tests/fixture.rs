//! An app called `shop`, in the situations the pages are looked at in.

mod builds;
mod events;
mod measured;
mod releases;

use toehold_core::model::{
    Alert, AlertPhase, AppName, Basis, BuildPhase, CommitId, Digest, EventKind, InstanceId,
    Measured, Metric, Number, Rollout, RolloutPhase, Scale, ScaleMode, Split, Subject, Track,
};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::{AppView, InstanceView};

use builds::build;
use events::{event, events};
use measured::{instance, pulse, traffic};

use crate::door::pages::Viewer;
use crate::door::pages::app::{AppPage, Said};

pub(super) use builds::{build_said, failed_build};

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

/// What somebody might call a commit.
pub(super) const EVIL: &str = "\"><img src=x onerror=alert(1)>\" onerror=\"alert(2)";

fn before(seconds: u64) -> Timestamp {
    Timestamp::from_ms(NOW.as_ms() - seconds * 1_000)
}

fn shop() -> AppName {
    "shop".parse().expect("a name")
}

fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).replacen(digit, "8c1f2ab", 1)[..40].parse().expect("a commit")
}

fn viewer() -> Viewer {
    Viewer { actor: "ada".into(), may_deploy: true, may_flag: true, may_log_out: true }
}

fn instance_said() -> String {
    use std::fmt::Write;
    let mut said = String::new();
    for i in 0..40 {
        let _ = writeln!(said, "2027-01-15T07:59:{i:02}Z GET /tokens/{i} 200 {} ms", i % 7);
    }
    said
}

fn app(rollout: Option<Rollout>, split: Split, instances: Vec<InstanceView>) -> AppView {
    AppView {
        app: shop(),
        urls: vec!["http://shop.localhost:8080".into()],
        serving: Some(Number(42)),
        wanted: Some(Number(42)),
        back_to: Some(Number(41)),
        rollout,
        step: None,
        split: Some(split),
        pin: None,
        scale: Scale { mode: ScaleMode::Auto, wanted: 3, changed_at: None },
        route: toehold_core::model::Route::default(),
        instances,
        alerts: Vec::new(),
        traffic: vec![
            traffic(Track::Stable, 42, 41.3, 0.003, 39_000),
            traffic(Track::Canary, 43, 20.1, 0.002, 41_000),
        ],
        building: None,
        failed: None,
    }
}

fn rollout(phase: RolloutPhase) -> Rollout {
    Rollout {
        release: Number(43),
        split: Split::DEFAULT,
        step: Some(1),
        step_since: before(300),
        started_at: before(400),
        phase,
    }
}

fn page(view: AppView) -> AppPage {
    let passed = || BuildPhase::Passed { artifact: Digest::of(b"shop") };
    AppPage {
        view,
        releases: releases::three(),
        builds: vec![
            failed_build(),
            build(43, Track::Canary, "Greet by name", passed(), 420),
            build(42, Track::Stable, "Add token endpoint", passed(), 7_300),
            build(41, Track::Stable, "Keep tokens in a file all instances share", passed(), 90_000),
            build(40, Track::Stable, "First", BuildPhase::Superseded { by: Number(41) }, 91_000),
        ],
        events: events(),
        troubles: Vec::new(),
        flags: vec![("feature1".into(), false), ("new-checkout".into(), true)],
        series: vec![
            pulse(Track::Stable, 41, 0, 0.0, 0.0),
            pulse(Track::Stable, 42, 0, 41.0, 39_000.0),
            pulse(Track::Canary, 43, 48, 20.0, 43_000.0),
        ],
        said: Some(Said { by: "web.5".into(), text: instance_said(), next: 4_096 }),
        apps: vec![shop(), "blog".parse().expect("a name")],
        viewer: viewer(),
        now: NOW,
    }
}

pub(super) fn canary_serving() -> AppPage {
    let instances = vec![
        instance(1, 42, Track::Stable, 38.0),
        instance(2, 42, Track::Stable, 41.0),
        instance(4, 42, Track::Stable, 12.0),
        instance(5, 43, Track::Canary, 22.0),
    ];
    page(app(Some(rollout(RolloutPhase::Serving)), Split::DEFAULT, instances))
}

pub(super) fn canary_held() -> AppPage {
    let held = RolloutPhase::Held {
        why: "cpu of web.5 was 96% over 45% for 1 m".into(),
        alert: Some(2),
        since: before(40),
    };
    let mut burning = instance(5, 43, Track::Canary, 96.2);
    let mut aside = instance(4, 42, Track::Stable, 2.0);
    aside.set_aside = Some("3 connections refused in a row".into());
    if let Some(status) = &mut aside.status {
        status.restarts = 4;
        if let Some(evidence) = &mut status.evidence {
            evidence.passed = false;
            evidence.answer = "refused".into();
        }
    }
    burning.in_flight = 0;
    let instances = vec![
        instance(1, 42, Track::Stable, 51.0),
        instance(2, 42, Track::Stable, 49.0),
        aside,
        burning,
    ];
    let mut page = page(app(Some(rollout(held)), Split::ALL_STABLE, instances));
    let alert = |id, phase| Alert {
        id,
        rule: "cpu".into(),
        basis: Basis::Measured(Measured {
            instance: InstanceId::new(shop(), 5),
            metric: Metric::Cpu,
            value: 96.2,
            threshold: 45.0,
        }),
        release: Number(43),
        track: Track::Canary,
        raised_at: before(40),
        phase,
        told_at: None,
        acknowledged_by: None,
    };
    let cleared = AlertPhase::Cleared { at: before(3_000), why: "it was 12%, below 40%".into() };
    page.view.alerts = vec![alert(1, cleared), alert(2, AlertPhase::Raised { stale: false })];
    let canary = || Subject::Rollout(Number(43));
    page.events.extend([
        event(
            10,
            40,
            EventKind::AlertRaised,
            Subject::Alert(2),
            "toehold",
            "cpu of web.5 (canary #43) is 96%, over 45% for 1 m",
        ),
        event(
            11,
            40,
            EventKind::RolloutHeld,
            canary(),
            "toehold",
            "all traffic is back on stable #42: alert/2 was raised on the canary",
        ),
        event(
            12,
            39,
            EventKind::RolloutLag,
            canary(),
            "toehold",
            "the last request reached the canary 1.8 ms after the decision",
        ),
        event(
            13,
            38,
            EventKind::MessageSent,
            Subject::Alert(2),
            "toehold",
            "a mail about alert/2 went to ops@example.com",
        ),
    ]);
    page
}

pub(super) fn quiet() -> AppPage {
    let mut page = page(app(None, Split::ALL_STABLE, Vec::new()));
    page.view.serving = None;
    page.view.wanted = None;
    page.view.split = None;
    page.view.traffic.clear();
    page.view.app = "blog".parse().expect("a name");
    page.releases.clear();
    page.builds.clear();
    page.events.truncate(1);
    page.series.clear();
    page.said = None;
    page
}

/// Every text that comes from outside is one that wants to be HTML.
pub(super) fn everything_from_outside() -> AppPage {
    let mut page = canary_held();
    let evil = || EVIL.to_owned();
    page.viewer.actor = evil();
    page.view.urls = vec![evil()];
    page.flags = vec![(evil(), true)];
    page.said = Some(Said { by: evil(), text: evil(), next: 1 });
    for event in &mut page.events {
        event.text = evil();
        event.actor = evil();
        event.subject = Subject::Flag(evil());
        event.facts = serde_json::json!({ (EVIL): EVIL });
    }
    for view in &mut page.view.instances {
        view.set_aside = Some(evil());
        if let Some(evidence) = view.status.as_mut().and_then(|it| it.evidence.as_mut()) {
            evidence.answer = evil();
            evidence.asked = evil();
            evidence.body = evil();
        }
    }
    for alert in &mut page.view.alerts {
        alert.rule = evil();
        alert.acknowledged_by = Some(evil());
    }
    for build in &mut page.builds {
        build.subject = evil();
        build.author = evil();
        for step in &mut build.steps {
            step.summary = evil();
        }
        if let BuildPhase::Failed { failure } = &mut build.phase {
            failure.what = evil();
            failure.exit = evil();
            failure.hint = evil();
            failure.tail = vec![evil()];
            for case in &mut failure.cases {
                case.message = evil();
                case.name = evil();
                case.file = Some(evil());
            }
            for issue in &mut failure.issues {
                issue.file = evil();
                issue.message = evil();
            }
        }
    }
    for release in &mut page.releases {
        release.release.subject = evil();
        release.state = format!("bad: {EVIL}");
    }
    if let Some(rollout) = &mut page.view.rollout {
        rollout.phase = RolloutPhase::Held { why: evil(), alert: None, since: before(1) };
    }
    page
}

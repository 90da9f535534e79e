//! An app called `shop`, in the situations the pages are looked at in.

use std::time::Duration;

use toehold_core::model::{
    Alert, AlertPhase, AppName, Build, BuildPhase, Case, CaseOutcome, CommitId, Digest, Event,
    EventKind, Evidence, Failure, Goal, Instance, InstanceId, InstancePhase, InstanceStatus, Issue,
    Metric, Number, Reading, Report, Rollout, RolloutPhase, Scale, ScaleMode, Severity, Split,
    StepKind, StepOutcome, Subject, Track, Trigger,
};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::{AppView, InstanceView, TrackTraffic};

use crate::door::pages::Viewer;
use crate::door::pages::app::{AppPage, Beat, Pulse, Said};
use crate::door::pages::chart::BUCKETS;

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

fn instance(ordinal: u64, release: u64, track: Track, cpu: f64) -> InstanceView {
    let id = InstanceId::new(shop(), ordinal);
    let at = before(2);
    InstanceView {
        instance: Instance {
            id: id.clone(),
            release: Number(release),
            track,
            goal: Goal::Run,
            created_at: before(7_000 / ordinal),
        },
        status: Some(InstanceStatus {
            id,
            release: Number(release),
            phase: InstancePhase::Running,
            addr: Some("127.0.0.1:41003".parse().expect("an address")),
            run: None,
            healthy: true,
            healthy_since: Some(before(6_900 / ordinal)),
            started_at: Some(before(7_000 / ordinal)),
            restarts: 0,
            last_exit: None,
            evidence: Some(Evidence {
                at,
                asked: "GET / on 127.0.0.1:41003".into(),
                answer: "200".into(),
                took_ms: 3,
                body: "hello from the shop".into(),
                passed: true,
            }),
            reading: Some(Reading {
                at,
                cpu_percent: cpu,
                memory_percent: 31.0,
                memory_bytes: 78_000_000,
            }),
        }),
        in_flight: ordinal % 3,
        set_aside: None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of beats")]
fn pulse(track: Track, release: u64, from: usize, level: f64, slow_us: f64) -> Pulse {
    let beats = (0..BUCKETS).map(|i| {
        if i < from {
            return Beat::default();
        }
        let wave = 1.0 + 0.25 * (i as f64 / 9.0).sin() + 0.08 * (i as f64 * 1.7).sin();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and above 0"
        )]
        let whole = |value: f64| value.round() as u64;
        Beat {
            requests: whole(level * 5.0 * wave),
            errors: u64::from(i % 17 == 0),
            p50_us: Some(whole(slow_us * 0.4 * wave)),
            p95_us: Some(whole(slow_us * wave)),
        }
    });
    Pulse { track, release: Number(release), beats: beats.collect() }
}

fn traffic(track: Track, release: u64, rate: f64, errors: f64, p95_us: u64) -> TrackTraffic {
    TrackTraffic {
        track,
        release: Number(release),
        requests_per_second: rate,
        requests: 412_883 / release,
        error_share: errors,
        p50_us: Some(p95_us / 3),
        p95_us: Some(p95_us),
    }
}

fn event(rev: u64, ago: u64, kind: EventKind, subject: Subject, actor: &str, text: &str) -> Event {
    Event {
        rev,
        at: before(ago),
        app: Some(shop()),
        kind,
        subject,
        cause: None,
        actor: actor.into(),
        text: text.into(),
        facts: serde_json::json!({ "cpu_percent": 96.2, "threshold": 45, "window_s": 60 }),
    }
}

fn events() -> Vec<Event> {
    let canary = || Subject::Rollout(Number(43));
    vec![
        event(1, 7_400, EventKind::AppCreated, Subject::App, "ada", "shop was made"),
        event(
            2,
            7_300,
            EventKind::PushReceived,
            Subject::Release(Number(42)),
            "ada",
            "main@8c1f2ab was pushed: Add token endpoint",
        ),
        event(
            3,
            7_200,
            EventKind::ReleaseCreated,
            Subject::Release(Number(42)),
            "toehold",
            "release #42 was made of 8c1f2ab",
        ),
        event(
            4,
            7_000,
            EventKind::DeployDone,
            Subject::Release(Number(42)),
            "toehold",
            "#42 serves everyone: web.1, web.2 healthy after 0.6 s",
        ),
        event(
            5,
            3_000,
            EventKind::FlagChanged,
            Subject::Flag("feature1".into()),
            "ada",
            "feature1 is off; it was on",
        ),
        event(
            6,
            420,
            EventKind::PushReceived,
            Subject::Release(Number(43)),
            "brian",
            "canary@8c1f2ab was pushed: Greet by name",
        ),
        event(
            7,
            400,
            EventKind::BuildFixed,
            Subject::Release(Number(43)),
            "toehold",
            "build #43 passes where #40 had failed",
        ),
        event(
            8,
            360,
            EventKind::RolloutSplit,
            canary(),
            "toehold",
            "canary #43 takes 33.3%: its first instance is healthy",
        ),
        event(
            9,
            190,
            EventKind::ScaledOut,
            Subject::App,
            "toehold",
            "3 instances, 1 more: cpu of stable was 58% over 60 s, 45% is aimed at",
        ),
    ]
}

fn step(kind: StepKind, passed: bool, summary: &str, took_ms: u64) -> StepOutcome {
    StepOutcome {
        kind,
        passed,
        summary: summary.into(),
        took_ms,
        report: Report::default(),
        issues: None,
    }
}

fn build(number: u64, track: Track, subject: &str, phase: BuildPhase, ago: u64) -> Build {
    let branch = if track == Track::Stable { "main" } else { "canary" };
    Build {
        app: shop(),
        number: Number(number),
        commit: commit('d'),
        branch: branch.parse().expect("a branch"),
        track,
        subject: subject.into(),
        author: "Ada Lovelace <ada@example.com>".into(),
        trigger: Trigger::Push,
        queued_at: before(ago),
        started_at: Some(before(ago - 1)),
        ended_at: phase.has_ended().then(|| before(ago - 18)),
        phase,
        steps: vec![
            step(StepKind::Fetch, true, "clean checkout", 400),
            step(StepKind::Install, true, "cached", 120),
            step(StepKind::Test, true, "jasmine 38 passed", 800),
            step(StepKind::Lint, true, "jshint 0 new · 2 fixed · 5 outstanding", 300),
            step(StepKind::Artifact, true, "sha256:9f2c4d11a0be 3 MiB", 210),
        ],
        cause: None,
    }
}

pub(super) fn failed_build() -> Build {
    let failure = Failure {
        step: StepKind::Test,
        what: "jasmine: 1 of 38 failed".into(),
        exit: "exit code 3".into(),
        cases: vec![Case {
            suite: "tokens".into(),
            name: "gives back what was set".into(),
            outcome: CaseOutcome::Failed,
            message: "Expected 'undefined' to be 'abc'.\n    at <Jasmine>\n    at UserContext.<anonymous> (spec/tokensSpec.js:14:25)".into(),
            file: Some("spec/tokensSpec.js".into()),
            line: Some(14),
        }],
        issues: vec![Issue {
            file: "main.js".into(),
            line: 31,
            column: 7,
            severity: Severity::Warning,
            rule: "jshint.W033".into(),
            message: "Missing semicolon.".into(),
        }],
        tail: vec!["38 specs, 1 failure".into(), "Finished in 0.312 seconds".into()],
        hint: "toehold logs #44".into(),
    };
    let mut build =
        build(44, Track::Canary, "Forget what was set", BuildPhase::Failed { failure }, 90);
    build.steps.truncate(2);
    build.steps.push(step(StepKind::Test, false, "jasmine 1 of 38 failed", 800));
    build
}

pub(super) fn build_said() -> String {
    let mut said = String::from(
        "── fetch\nclean checkout at 8c1f2ab\n── install\nlock file known: cached\n── test\n$ npx jasmine\n",
    );
    for i in 0..38 {
        use std::fmt::Write;
        let _ = writeln!(said, "  {} spec {i}", if i == 14 { "✗" } else { "✓" });
    }
    said
}

fn app(rollout: Option<Rollout>, split: Split, instances: Vec<InstanceView>) -> AppView {
    AppView {
        app: shop(),
        urls: vec!["http://shop.localhost:8080".into()],
        serving: Some(Number(42)),
        wanted: Some(Number(42)),
        rollout,
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
        releases: crate::door::pages::tests::releases::three(),
        builds: vec![
            failed_build(),
            build(43, Track::Canary, "Greet by name", passed(), 420),
            build(42, Track::Stable, "Add token endpoint", passed(), 7_300),
            build(41, Track::Stable, "Keep tokens in a file all instances share", passed(), 90_000),
            build(40, Track::Stable, "First", BuildPhase::Superseded { by: Number(41) }, 91_000),
        ],
        events: events(),
        flags: vec![("feature1".into(), false), ("new-checkout".into(), true)],
        series: vec![
            pulse(Track::Stable, 41, 0, 0.0, 0.0),
            pulse(Track::Stable, 42, 0, 41.0, 39_000.0),
            pulse(Track::Canary, 43, 48, 20.0, 43_000.0),
        ],
        said: Some(Said {
            by: "web.5".into(),
            text: (0..40)
                .map(|i| {
                    format!("2027-01-15T07:59:{:02}Z GET /tokens/{i} 200 {} ms\n", i % 60, i % 7)
                })
                .collect(),
            next: 4_096,
        }),
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
        instance: InstanceId::new(shop(), 5),
        release: Number(43),
        track: Track::Canary,
        metric: Metric::Cpu,
        value: 96.2,
        threshold: 45.0,
        raised_at: before(40),
        phase,
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

pub(super) const HOUR: Duration = Duration::from_secs(3_600);

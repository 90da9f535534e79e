//! `shop`, in the middle of its life: #42 serves everyone but those who get canary #43; #44 did not
//! pass its tests. Written into the store before the control plane comes up.

use toehold_core::model::{
    App, AppName, Arm, Build, BuildPhase, Case, CaseOutcome, Digest, Event, EventKind, Failure,
    Goal, Instance, InstanceId, MachineName, Number, Place, Release, ReleaseVerdict, Report,
    Rollout, RolloutPhase, Split, Stable, StepKind, StepOutcome, Subject, Target, Track, Trigger,
};
use toehold_core::spec::Spec;
use toehold_core::time::Timestamp;
use toehold_server::clock::{Clock, SystemClock};
use toehold_server::store::{Txn, Write};

/// What somebody called a commit: it wants to be HTML.
pub(crate) const EVIL: &str = "<img src=x onerror=\"document.title='owned'\">'\"&amp;";

const COMMIT: &str = "8c1f2abddddddddddddddddddddddddddddddddd";

pub(crate) fn name() -> AppName {
    "shop".parse().expect("a name")
}

fn ago(seconds: u64) -> Timestamp {
    Timestamp::from_ms(SystemClock.now().as_ms() - seconds * 1_000)
}

/// All of it, as one step.
pub(crate) fn written() -> Txn {
    written_with(|_| {})
}

/// All of it; the release that serves answers to these hosts.
pub(crate) fn written_for(hosts: &[&str]) -> Txn {
    let mut txn = written();
    let mut serves = release(42, EVIL);
    serves.spec.proxy.hosts = hosts.iter().map(ToString::to_string).collect();
    let put = Write::put("release/shop/00000042".parse().expect("a key"), &serves);
    for write in &mut txn.writes {
        if write.key() == put.key() {
            write.clone_from(&put);
        }
    }
    txn
}

/// All of it, with the app in some other way.
pub(crate) fn written_with(change: impl FnOnce(&mut App)) -> Txn {
    let mut app = app();
    change(&mut app);
    let put = |key: &str, number: u64| format!("{key}/shop/{number:08}").parse().expect("a key");
    let mut txn = Txn::by("test").write(Write::put("app/shop".parse().expect("a key"), &app));
    for (number, subject) in [(41, "Keep tokens in a file"), (42, EVIL), (43, "Greet by name")] {
        txn = txn.write(Write::put(put("release", number), &release(number, subject)));
        let passed = BuildPhase::Passed { artifact: Digest::of(b"shop") };
        txn = txn.write(Write::put(put("build", number), &build(number, subject, passed)));
    }
    txn = txn.write(Write::put(put("build", 44), &failed()));
    events().iter().fold(txn, |txn, event| txn.write(Write::event(event)))
}

fn instance(ordinal: u64, release: u64, track: Track) -> Instance {
    Instance {
        id: InstanceId::new(name(), ordinal),
        release: Number(release),
        track,
        goal: Goal::Run,
        created_at: ago(3_000),
        place: Some(Place { machine: MachineName::local(), since: ago(3_000) }),
    }
}

fn arm(track: Track, release: u64, weight: u32, ordinals: &[u64]) -> Arm {
    let target = |ordinal: &u64| Target {
        instance: InstanceId::new(name(), *ordinal),
        addr: format!("127.0.0.1:4100{ordinal}").parse().expect("an address"),
    };
    Arm { track, release: Number(release), weight, targets: ordinals.iter().map(target).collect() }
}

fn app() -> App {
    let mut app = App::new(name(), ago(90_000));
    app.stable = Some(Stable { release: Number(42), since: ago(7_000) });
    app.rollout = Some(Rollout {
        release: Number(43),
        split: Split::DEFAULT,
        step: None,
        step_since: ago(300),
        started_at: ago(320),
        phase: RolloutPhase::Serving,
    });
    app.instances = vec![
        instance(1, 42, Track::Stable),
        instance(2, 42, Track::Stable),
        instance(3, 43, Track::Canary),
    ];
    app.scale.wanted = 2;
    app.scale.mode = toehold_core::model::ScaleMode::Frozen;
    app.route.rev = 5;
    app.route.arms = vec![arm(Track::Stable, 42, 2, &[1, 2]), arm(Track::Canary, 43, 1, &[3])];
    app.good = vec![Number(41), Number(42)];
    app.next_number = 45;
    app.next_instance = 4;
    app
}

fn release(number: u64, subject: &str) -> Release {
    let mut spec = Spec::default();
    spec.run.web = Some("node main.js".into());
    Release {
        app: name(),
        number: Number(number),
        artifact: Digest::of(b"shop"),
        commit: COMMIT.parse().expect("a commit"),
        branch: "main".parse().expect("a branch"),
        subject: subject.into(),
        spec,
        secrets: None,
        made_at: ago(7_100),
        verdict: ReleaseVerdict::Good,
        cause: None,
    }
}

fn step(kind: StepKind, passed: bool, summary: &str) -> StepOutcome {
    let report = Report::default();
    let (summary, tests, issues) = (summary.into(), None, None);
    StepOutcome { kind, passed, summary, took_ms: 420, tests, report, issues }
}

fn build(number: u64, subject: &str, phase: BuildPhase) -> Build {
    let track = if number >= 43 { Track::Canary } else { Track::Stable };
    Build {
        app: name(),
        number: Number(number),
        commit: COMMIT.parse().expect("a commit"),
        branch: if number >= 43 { "canary" } else { "main" }.parse().expect("a branch"),
        track,
        subject: subject.into(),
        author: "Ada Lovelace <ada@example.com>".into(),
        trigger: Trigger::Push,
        queued_at: ago(400),
        started_at: Some(ago(399)),
        ended_at: Some(ago(380)),
        phase,
        steps: vec![
            step(StepKind::Fetch, true, "clean checkout"),
            step(StepKind::Install, true, "cached"),
            step(StepKind::Test, true, "jasmine 38 passed"),
            step(StepKind::Lint, true, "jshint 0 new · 2 fixed · 5 outstanding"),
            step(StepKind::Artifact, true, "3 MiB"),
        ],
        cause: None,
    }
}

fn failed() -> Build {
    let case = Case {
        suite: "tokens".into(),
        name: "gives back what was set".into(),
        outcome: CaseOutcome::Failed,
        message: "Expected 'undefined' to be 'abc'.".into(),
        file: Some("spec/tokensSpec.js".into()),
        line: Some(14),
    };
    let failure = Failure {
        step: StepKind::Test,
        what: "jasmine: 1 of 38 failed".into(),
        exit: "exit code 3".into(),
        cases: vec![case],
        issues: Vec::new(),
        tail: vec!["38 specs, 1 failure".into()],
        hint: "toehold logs #44".into(),
    };
    let mut build = build(44, "Forget what was set", BuildPhase::Failed { failure });
    build.steps.truncate(2);
    build.steps.push(step(StepKind::Test, false, "jasmine 1 of 38 failed"));
    build
}

fn events() -> Vec<Event> {
    let event = |seconds, kind, subject, text: &str| Event {
        rev: 0,
        at: ago(seconds),
        app: Some(name()),
        kind,
        subject,
        cause: None,
        actor: "ada".into(),
        text: text.into(),
        facts: serde_json::json!({ "canary_percent": 33.3 }),
    };
    let canary = || Subject::Rollout(Number(43));
    vec![
        event(7_000, EventKind::DeployDone, Subject::Release(Number(42)), "#42 serves everyone"),
        event(
            420,
            EventKind::PushReceived,
            Subject::Release(Number(43)),
            &format!("canary@8c1f2ab was pushed: {EVIL}"),
        ),
        event(330, EventKind::RolloutStarted, canary(), "canary #43 is to run beside stable #42"),
        event(300, EventKind::RolloutSplit, canary(), "canary #43 takes 33.3%: it is healthy"),
    ]
}

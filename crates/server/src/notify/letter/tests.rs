use std::time::Duration;

use toehold_core::model::{
    Alert, AlertPhase, AppName, Basis, Build, BuildPhase, Case, CaseOutcome, Event, EventKind,
    Failure, InstanceId, Issue, Measured, Metric, Number, Severity, StepKind, Subject, Track,
    Trigger,
};
use toehold_core::time::Timestamp;

use crate::notify::Letter;
use crate::store::Doc;

fn app() -> AppName {
    "shop".parse().expect("a name")
}

fn at() -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000)
}

fn build(subject: &str, branch: &str) -> Build {
    Build {
        app: app(),
        number: Number(42),
        commit: "8c1f2ab7d0e94c5f8f0c6a1f0d3b2c4e5f607182".parse().expect("a commit"),
        branch: branch.parse().expect("a branch"),
        track: Track::Stable,
        subject: subject.into(),
        author: "Anna <anna@example.com>".into(),
        trigger: Trigger::Push,
        queued_at: at(),
        started_at: Some(at()),
        ended_at: Some(at()),
        phase: BuildPhase::Queued,
        steps: Vec::new(),
        cause: None,
    }
}

fn failure() -> Failure {
    Failure {
        step: StepKind::Test,
        what: "jasmine: 1 of 38 failed".into(),
        exit: "exit code 3".into(),
        cases: vec![Case {
            suite: "tokens".into(),
            name: "keeps a token".into(),
            outcome: CaseOutcome::Failed,
            message: "Expected 'a' to be 'b'.\n    at <Jasmine>".into(),
            file: Some("spec/token_spec.js".into()),
            line: Some(14),
        }],
        issues: vec![Issue {
            file: "main.js".into(),
            line: 3,
            column: 7,
            severity: Severity::Error,
            rule: "jshint.W033".into(),
            message: "Missing semicolon.".into(),
        }],
        tail: vec!["38 specs, \u{1b}[31m1 failure\u{1b}[0m".into(), "npm ERR! code 3".into()],
        hint: "toehold logs shop --build 42".into(),
    }
}

fn alert() -> Alert {
    Alert {
        id: 3,
        rule: "cpu".into(),
        basis: Basis::Measured(Measured {
            instance: InstanceId::new(app(), 7),
            metric: Metric::Cpu,
            value: 97.31,
            threshold: 45.0,
        }),
        release: Number(42),
        track: Track::Canary,
        raised_at: at(),
        phase: AlertPhase::Raised { stale: false },
        acknowledged_by: None,
        told_at: None,
    }
}

#[test]
fn a_failed_build_is_told_so_that_no_second_look_is_needed() {
    let letter = Letter::build_failed(&build("Add token endpoint", "main"), &failure(), at());
    assert_eq!(letter.headline, "[shop] build #42 failed: jasmine: 1 of 38 failed");
    assert_eq!(
        letter.body,
        "\
Build #42 of shop failed at the test step: jasmine: 1 of 38 failed (exit
code 3). Nothing was deployed.

Failing tests
  tokens: keeps a token
    at spec/token_spec.js:14
    Expected 'a' to be 'b'.
        at <Jasmine>

Findings
  main.js:3:7  error  Missing semicolon.  (jshint.W033)

The end of its output
  38 specs, 1 failure
  npm ERR! code 3

Commit  8c1f2ab \"Add token endpoint\"
Author  Anna <anna@example.com>
Branch  main (stable)
Build   #42

Try  toehold logs shop --build 42
"
    );
}

#[test]
fn nothing_that_was_pushed_can_write_a_header() {
    let mut evil = build("x\r\nBcc: everyone@example.com\r\n\r\nhello", "a$(reboot)");
    evil.author = "A\r\nB <a@example.com>".into();
    let mut failure = failure();
    failure.what = "failed\r\nX-Evil: 1".into();
    let letter = Letter::build_failed(&evil, &failure, at());
    assert!(!letter.headline.contains(['\r', '\n']), "{:?}", letter.headline);
    assert!(!letter.body.contains('\r'), "{}", letter.body);
    assert!(letter.body.lines().all(|line| !line.starts_with("Bcc:")), "{}", letter.body);
}

#[test]
fn the_largest_failure_fits_into_a_document() {
    let mut failure = failure();
    let case = Case {
        message: "x".repeat(10_000) + "\n" + &"y\n".repeat(100),
        ..failure.cases[0].clone()
    };
    failure.cases = vec![case; 10];
    failure.tail = vec!["\"\\".repeat(5_000); 30];
    let letter = Letter::build_failed(&build(&"s".repeat(5_000), "main"), &failure, at());
    let size = serde_json::to_string(&letter).expect("JSON").len();
    assert!(size < Doc::MAX_VALUE_BYTES - 1_000, "{size} bytes");
    assert!(letter.headline.chars().count() <= 140);
}

#[test]
fn a_build_that_is_fixed_names_the_one_that_failed() {
    let letter = Letter::build_fixed(&build("Mend it", "main"), Number(41), at());
    assert_eq!(letter.headline, "[shop] build #42 is fixed");
    assert!(
        letter.body.contains("The one before it on stable, #41, had failed."),
        "{}",
        letter.body
    );
}

#[test]
fn an_alert_says_its_numbers_and_what_came_of_it() {
    let letter = Letter::alert_raised(&app(), &alert(), "All traffic is on stable.", at());
    assert_eq!(letter.headline, "[shop] alert: cpu at 97.3 % on web.7 (canary)");
    assert_eq!(
        letter.body,
        "\
cpu of shop's canary instance web.7 is at 97.3 % of its allotment, over the
45.0 % of the rule \"cpu\". All traffic is on stable.

Alert    alert/3 (cpu)
Release  #42
Raised   2027-01-15T08:00:00.000Z
Look     toehold why alert/3 --app shop
"
    );
}

#[test]
fn an_alert_that_holds_no_more_says_for_how_long_it_did() {
    let later = at().plus(Duration::from_mins(10));
    let letter = Letter::alert_cleared(&app(), &alert(), "cpu is below 40 %", later);
    assert_eq!(letter.headline, "[shop] resolved: cpu on web.7 (canary)");
    assert!(
        letter.body.contains("holds no more after 10 min: cpu is below 40 %."),
        "{}",
        letter.body
    );
    assert_eq!(letter.kind, EventKind::AlertCleared);
}

#[test]
fn rollback_hold_and_failed_deploy_say_what_serves_and_what_to_do() {
    let back = Letter::rollback(&app(), Some(Number(42)), Number(41), "anna", at());
    assert_eq!(back.headline, "[shop] rolled back from #42 to #41 by anna");
    assert!(back.body.contains("toehold unpin"), "{}", back.body);

    let held = Letter::canary_held(&app(), Number(42), "alert/3: cpu at 97.3 %", at());
    assert_eq!(held.headline, "[shop] canary #42 was given back: alert/3: cpu at 97.3 %");
    assert!(held.body.contains("toehold rollout retry"), "{}", held.body);

    let seen = vec!["GET / 301 -> /login".to_owned()];
    let failed =
        Letter::deploy_failed(&app(), Number(42), Some(Number(41)), "never healthy", &seen, at());
    assert!(failed.body.contains("#41 goes on serving."), "{}", failed.body);
    assert!(failed.body.contains("\n  GET / 301 -> /login\n"), "{}", failed.body);
}

#[test]
fn a_machine_that_failed_is_told_in_the_words_of_its_event() {
    let event = Event {
        rev: 0,
        at: at(),
        app: Some(app()),
        kind: EventKind::MachineFailed,
        subject: Subject::Machine("shop-1".parse().expect("a machine's name")),
        cause: None,
        actor: "toehold".into(),
        text: "shop-1 failed: its agent did not call within 10 min\r\nBcc: x".into(),
        facts: serde_json::json!({ "machine": "shop-1" }),
    };
    let letter = Letter::machine(&event);
    let words = "shop-1 failed: its agent did not call within 10 min Bcc: x";
    assert_eq!(letter.headline, format!("[shop] {words}"));
    assert!(letter.body.contains("toehold machines ls"), "{}", letter.body);
    let held = Letter::machine(&Event { app: None, subject: Subject::Toehold, ..event });
    assert_eq!(held.headline, format!("[toehold] {words}"));
}

#[test]
fn a_certificate_that_ends_is_told_in_the_words_of_its_event() {
    let event = Event {
        rev: 0,
        at: at(),
        app: Some(app()),
        kind: EventKind::CertificateExpiring,
        subject: Subject::App,
        cause: None,
        actor: "toehold".into(),
        text: "the certificate of shop.example.com ends in 48 h. The last time: no port 80".into(),
        facts: serde_json::json!({ "host": "shop.example.com" }),
    };
    let letter = Letter::certificate(&event);
    assert_eq!(letter.headline, "[shop] the certificate of shop.example.com ends in 48 h");
    for part in ["The last time: no port 80.", "shop.example.com", "toehold doctor"] {
        assert!(letter.body.contains(part), "{part}: {}", letter.body);
    }
}

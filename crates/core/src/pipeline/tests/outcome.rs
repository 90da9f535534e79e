//! What the end of a step meant.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Case, CaseOutcome, Issue, Report, Severity, StepKind};
use crate::pipeline::{Ended, Evidence, Format, Found, Judged, Ran, outcome};

fn case(name: &str, outcome: CaseOutcome, message: &str) -> Case {
    Case {
        suite: "tokens".into(),
        name: name.into(),
        outcome,
        message: message.into(),
        file: None,
        line: None,
    }
}

fn report(passed: usize, failed: usize) -> Found {
    let message = "Expected 1 to be 2.\n  at UserContext.<anonymous> (/srv/app/spec/a.js:2:64)";
    let cases = (0..passed)
        .map(|n| case(&format!("p{n}"), CaseOutcome::Passed, ""))
        .chain((0..failed).map(|n| case(&format!("f{n}"), CaseOutcome::Failed, message)))
        .collect();
    Found::Read(Report { cases, issues: Vec::new() })
}

fn junit(found: Found) -> Vec<Evidence> {
    vec![Evidence { format: Format::Junit, pattern: "reports/*.xml".into(), found }]
}

/// The end of `npx jasmine`.
fn jasmine(ended: Ended, evidence: Vec<Evidence>, output: &str) -> Judged {
    let tail: Vec<String> = output.lines().map(str::to_owned).collect();
    outcome(&Ran {
        kind: StepKind::Test,
        command: "npx jasmine",
        scripts: &BTreeMap::new(),
        ended,
        took_ms: 800,
        evidence,
        tail: &tail,
        checkout: "/srv/app",
        baseline: &[],
        ratchet: false,
    })
}

#[track_caller]
fn fails(judged: &Judged, what: &str) {
    let failure = judged.failure.as_ref().expect("it failed");
    assert_eq!(failure.what, what);
    assert!(!judged.outcome.passed);
}

#[test]
fn tests_that_pass_are_counted() {
    let judged = jasmine(Ended::Code(0), junit(report(38, 0)), "");
    assert_eq!(judged.outcome.summary, "jasmine 38 passed");
    assert!(judged.outcome.passed && judged.failure.is_none());
}

#[test]
fn a_failing_assertion_is_named_with_its_place() {
    let judged = jasmine(Ended::Code(3), junit(report(37, 1)), "…\n38 specs, 1 failure");
    fails(&judged, "jasmine: 1 of 38 failed");
    assert_eq!(judged.outcome.summary, "jasmine 37 passed, 1 failed");
    let failure = judged.failure.expect("it failed");
    assert_eq!(failure.exit, "exit code 3");
    assert_eq!(
        (failure.cases[0].file.as_deref(), failure.cases[0].line),
        (Some("spec/a.js"), Some(2))
    );
    assert_eq!(failure.tail.len(), 2);
    assert_eq!(failure.hint, "run `npx jasmine` in your checkout");
    assert_eq!(
        judged.outcome.report.cases[0].outcome,
        CaseOutcome::Failed,
        "failed ones come first"
    );
}

#[test]
fn the_exit_code_is_believed_when_the_report_says_all_is_well() {
    let output = "Suite error: teardown\n  at UserContext.<anonymous> (/srv/app/spec/b.js:1:65)";
    fails(
        &jasmine(Ended::Code(3), junit(report(4, 0)), output),
        "jasmine ended with exit code 3, though none of 4 tests failed, at spec/b.js:1",
    );
}

#[test]
fn a_report_that_is_missing_broken_or_empty_is_no_pass() {
    fails(
        &jasmine(Ended::Code(0), junit(Found::Missing), ""),
        "no report matches `reports/*.xml`, though jasmine ended with exit code 0",
    );
    let broken =
        Found::Broken { file: "reports/a.xml".into(), why: "it ends in the middle".into() };
    fails(
        &jasmine(Ended::Code(0), junit(broken), ""),
        "the report reports/a.xml cannot be read: it ends in the middle, though jasmine ended with \
         exit code 0",
    );
    fails(
        &jasmine(Ended::Code(0), junit(report(0, 0)), ""),
        "the report `reports/*.xml` holds no test, though jasmine ended with exit code 0",
    );
    fails(
        &jasmine(Ended::Code(1), junit(Found::Missing), "/srv/app/spec/a.js:2\nSyntaxError: x"),
        "jasmine ended with exit code 1, and no report matches `reports/*.xml`, at spec/a.js:2",
    );
}

#[test]
fn a_failed_test_is_no_pass_whatever_the_exit_code() {
    fails(
        &jasmine(Ended::Code(0), junit(report(2, 1)), ""),
        "jasmine: 1 of 3 failed, though it ended with exit code 0",
    );
}

#[test]
fn without_a_named_report_the_exit_code_is_all() {
    let judged = jasmine(Ended::Code(0), Vec::new(), "Started\n3 specs, 0 failures");
    assert_eq!(judged.outcome.summary, "jasmine 3 passed");
    let judged = jasmine(Ended::Code(0), Vec::new(), "hello");
    assert_eq!(judged.outcome.summary, "jasmine passed");
    fails(&jasmine(Ended::Code(2), Vec::new(), "No specs found"), "jasmine ended with exit code 2");
}

#[test]
fn an_end_by_force_is_told_as_it_was() {
    let ten_minutes = Duration::from_mins(10);
    for (ended, what, exit) in [
        (Ended::TimedOut(ten_minutes), "jasmine timed out after 10m", "timed out after 10m"),
        (
            Ended::Silent(Duration::from_secs(90)),
            "jasmine said nothing for 90s and was killed",
            "killed after 90s without output",
        ),
        (Ended::Signal(11), "jasmine was killed by SIGSEGV", "killed by SIGSEGV"),
        (Ended::Code(134), "jasmine ended with exit code 134 (SIGABRT)", "exit code 134 (SIGABRT)"),
        (
            Ended::Stopped("it forked".into()),
            "jasmine was stopped: it forked",
            "stopped: it forked",
        ),
    ] {
        let judged = jasmine(ended, Vec::new(), "");
        fails(&judged, what);
        assert_eq!(judged.failure.expect("it failed").exit, exit);
    }
}

fn finding(line: u32, message: &str) -> Issue {
    Issue {
        file: "a.js".into(),
        line,
        column: 1,
        severity: Severity::Warning,
        rule: "W1".into(),
        message: message.into(),
    }
}

fn jshint(code: i32, found: Found, baseline: &[Issue], ratchet: bool) -> Judged {
    let command = "npx jshint --reporter=checkstyle . > c.xml";
    linted(command, Ended::Code(code), found, baseline, ratchet)
}

/// The end of a linter.
fn linted(command: &str, ended: Ended, found: Found, baseline: &[Issue], ratchet: bool) -> Judged {
    outcome(&Ran {
        kind: StepKind::Lint,
        command,
        scripts: &BTreeMap::new(),
        ended,
        took_ms: 300,
        evidence: vec![Evidence { format: Format::Checkstyle, pattern: "c.xml".into(), found }],
        tail: &[],
        checkout: "/srv/app",
        baseline,
        ratchet,
    })
}

fn findings(messages: &[&str]) -> Found {
    let issues = messages.iter().map(|message| finding(9, message)).collect();
    Found::Read(Report { cases: Vec::new(), issues })
}

#[test]
fn a_clean_style_check_passes() {
    let judged = jshint(0, findings(&[]), &[finding(1, "a"), finding(2, "b")], false);
    assert!(judged.outcome.passed);
    assert_eq!(judged.outcome.summary, "jshint 0 new · 2 fixed · 0 outstanding");
}

#[test]
fn findings_fail_the_style_check_where_its_exit_code_does() {
    let judged = jshint(2, findings(&["a", "new"]), &[finding(1, "a")], false);
    fails(&judged, "jshint: 1 new finding, 1 outstanding");
    assert_eq!(judged.outcome.summary, "jshint 1 new · 0 fixed · 1 outstanding");
    assert_eq!(judged.issues.len(), 2);
    assert_eq!(judged.failure.expect("it failed").issues[0].message, "new");
    assert!(jshint(0, findings(&["a", "new"]), &[], false).outcome.passed, "warnings beside a 0");
}

#[test]
fn the_ratchet_lets_what_is_outstanding_pass() {
    let before = [finding(1, "a"), finding(1, "b")];
    assert!(jshint(2, findings(&["a"]), &before, true).outcome.passed);
    assert!(!jshint(2, findings(&["a"]), &before, false).outcome.passed);
    assert!(!jshint(2, findings(&["a", "c"]), &before, true).outcome.passed);
    assert!(!jshint(2, findings(&["a"]), &[], true).outcome.passed, "a first build has no before");
    assert!(!jshint(1, findings(&[]), &before, true).outcome.passed, "nothing explains the code");
}

#[test]
fn the_ratchet_forgives_findings_and_no_crash() {
    let before = [finding(1, "a")];
    let ends = |command: &str, ended| linted(command, ended, findings(&["a"]), &before, true);
    for (command, code) in [
        ("npx eslint .", 1),
        ("npx jshint .", 2),
        ("ruff check", 1),
        ("pylint app", 28),
        ("cargo clippy", 101),
        ("./lint", 1),
        ("./lint", 7),
    ] {
        assert!(ends(command, Ended::Code(code)).outcome.passed, "{command}: {code}");
    }
    for (command, code) in [
        ("npx eslint .", 2),
        ("npx jshint .", 1),
        ("ruff check", 2),
        ("pylint app", 1),
        ("pylint app", 32),
        ("./lint", 124),
        ("./lint", 126),
        ("./lint", 127),
        ("./lint", 134),
        ("./lint", 137),
        ("npx eslint .", 127),
    ] {
        let judged = ends(command, Ended::Code(code));
        let what = judged.failure.expect(command).what;
        assert!(what.contains(&format!("exit code {code}")), "{command}: {what}");
    }
    for ended in [Ended::Signal(9), Ended::TimedOut(Duration::from_mins(10))] {
        assert!(!ends("npx eslint .", ended).outcome.passed);
    }
}

#[test]
fn a_style_report_that_is_missing_is_no_pass() {
    fails(
        &jshint(0, Found::Missing, &[], true),
        "no report matches `c.xml`, though jshint ended with exit code 0",
    );
}

#[test]
fn what_is_kept_of_a_step_is_not_much() {
    let long = "x".repeat(10_000);
    let cases = (0..500).map(|_| case(&long, CaseOutcome::Failed, &long)).collect();
    let found = Found::Read(Report { cases, issues: Vec::new() });
    let judged = jasmine(Ended::Code(1), junit(found), "");
    let document = serde_json::to_string(&judged.outcome).expect("it is a document");
    assert!(document.len() < 60_000, "{}", document.len());
    let failure = serde_json::to_string(&judged.failure).expect("it is a document");
    assert!(failure.len() < 30_000, "{}", failure.len());
}

/// The end of `npm ci`.
fn install(code: i32, output: &str) -> Judged {
    let tail: Vec<String> = output.lines().map(str::to_owned).collect();
    outcome(&Ran {
        kind: StepKind::Install,
        command: "npm ci",
        scripts: &BTreeMap::new(),
        ended: Ended::Code(code),
        took_ms: 1,
        evidence: Vec::new(),
        tail: &tail,
        checkout: "/srv/app",
        baseline: &[],
        ratchet: false,
    })
}

#[test]
fn an_install_that_fails_names_its_command() {
    let judged = install(127, "");
    fails(&judged, "`npm ci` ended with exit code 127");
    assert!(judged.failure.expect("it failed").hint.contains("is not there"));
    let judged = install(1, "npm error code ECONNREFUSED\nnpm error syscall connect");
    fails(&judged, "`npm ci` ended with exit code 1: ECONNREFUSED");
    assert!(judged.failure.expect("it failed").hint.contains("reaches the registry"));
    let judged = install(1, "npm error code EINTEGRITY\n");
    fails(&judged, "`npm ci` ended with exit code 1: EINTEGRITY");
}

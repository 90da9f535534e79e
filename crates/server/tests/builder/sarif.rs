//! What must be read from SARIF, where its writers differ.

use toehold_core::model::Issue;
use toehold_core::pipeline::Format;
use toehold_server::builder::report::{Unreadable, read};

use crate::samples::Sample;

/// Each finding as people write it, of a file with these members in its one run.
fn findings(run: &str) -> Result<Vec<String>, Unreadable> {
    let text = format!(r#"{{"version": "2.1.0", "runs": [{{{run}}}]}}"#);
    let report = read(Format::Sarif, text.as_bytes(), "/srv/app")?;
    Ok(report.issues.iter().map(show).collect())
}

fn show(issue: &Issue) -> String {
    let Issue { file, line, column, severity, rule, message } = issue;
    format!("{file}:{line}:{column} {severity:?} {rule} {message}")
}

#[test]
fn eslint_says_what_it_could_not_parse_beside_its_results() {
    let report = Sample::named("dialects/eslint.sarif").read().expect("it is there");
    let found: Vec<String> = report.expect("it is whole").issues.iter().map(show).collect();
    assert_eq!(
        found,
        [
            "t/syntax.js:1:10 Error ESL0999 Parsing error: Unexpected token (",
            "t/bad.js:2:10 Error semi Missing semicolon.",
            "t/bad.js:3:5 Warning no-unused-vars 'unused' is assigned a value but never used.",
            "t/bad.js:5:1 Error no-undef 'undefinedFn' is not defined.",
        ]
    );
}

#[test]
fn a_level_is_the_results_own_or_its_rules_or_a_warning() {
    let run = r#""tool": {"driver": {"rules": [
        {"id": "a", "defaultConfiguration": {"level": "error"}}, {"id": "b"}]}},
        "results": [{"ruleId": "a", "message": {"text": "by its id"}},
            {"ruleIndex": 0, "message": {"text": "by its index"}},
            {"ruleId": "a", "level": "note", "message": {"text": "its own"}},
            {"ruleId": "b", "ruleIndex": -1, "message": {"text": "nobody says"}}]"#;
    assert_eq!(
        findings(run).expect("it is whole"),
        [
            ":0:0 Error a by its id",
            ":0:0 Error a by its index",
            ":0:0 Info a its own",
            ":0:0 Warning b nobody says"
        ]
    );
}

#[test]
fn what_passed_was_set_aside_or_is_gone_is_no_finding() {
    let run = r#""results": [
        {"ruleId": "pass", "kind": "pass"}, {"ruleId": "na", "kind": "notApplicable"},
        {"ruleId": "aside", "suppressions": [{"kind": "inSource"}]},
        {"ruleId": "gone", "baselineState": "absent"},
        {"ruleId": "asked", "suppressions": [{"status": "underReview"}]},
        {"ruleId": "review", "kind": "review"}, {"ruleId": "new", "baselineState": "new"}]"#;
    assert_eq!(
        findings(run).expect("it is whole"),
        [":0:0 Warning asked ", ":0:0 Info review ", ":0:0 Warning new "]
    );
}

#[test]
fn a_place_is_a_uri_of_many_kinds() {
    let run = r#""originalUriBaseIds": {"SRC": {"uri": "file:///srv/app/src/"}, "%R%": {}},
        "artifacts": [{"location": {"uri": "listed.js"}}],
        "results": [
        {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "a%20b.js"},
            "region": {"startLine": 3, "startColumn": 9}}}]},
        {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "x.js", "uriBaseId": "SRC"}}}]},
        {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "y.js", "uriBaseId": "%R%"}}}]},
        {"locations": [{"physicalLocation": {"artifactLocation": {"index": 0},
            "region": {"startLine": 2.0, "startColumn": null}}}]},
        {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "file:/srv/app/z.js"},
            "region": {"startLine": -4}}}]},
        {"locations": null}]"#;
    let found = findings(run).expect("it is whole");
    let places: Vec<&str> =
        found.iter().map(|it| it.split(" Warning").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        ["a b.js:3:9", "src/x.js:0:0", "y.js:0:0", "listed.js:2:0", "z.js:0:0", ":0:0"]
    );
}

#[test]
fn a_message_may_be_kept_with_its_rule() {
    let run = r#""tool": {"driver": {}, "extensions": [{"rules": [{"id": "a", "messageStrings":
        {"default": {"text": "{0} is not {1}"}}, "shortDescription": {"text": "short"}}]}]},
        "results": [
        {"rule": {"index": 0, "toolComponent": {"index": 0}},
            "message": {"id": "default", "arguments": ["x", "defined"]}},
        {"rule": {"id": "a", "toolComponent": {"index": 0}}},
        {"message": {"markdown": "**bold**"}}]"#;
    assert_eq!(
        findings(run).expect("it is whole"),
        [":0:0 Warning a x is not defined", ":0:0 Warning a short", ":0:0 Warning  **bold**"]
    );
}

#[test]
fn a_run_that_did_not_happen_is_no_pass() {
    let why = |run: &str| findings(run).expect_err("it is no pass").to_string();
    assert_eq!(why(""), "it says that its tool's run did not succeed: a run has no results");
    assert_eq!(
        why(r#""results": [], "invocations": [{"executionSuccessful": false}]"#),
        "it says that its tool's run did not succeed"
    );
    let explained = r#""results": [], "invocations": [{"executionSuccessful": false,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": "no parser"}}]}]"#;
    assert_eq!(findings(explained).expect("it says why"), [":0:0 Error  no parser"]);
    assert_eq!(findings(r#""results": []"#).expect("it found nothing"), [""; 0]);
}

#[test]
fn what_is_not_sarif_is_refused() {
    let why = |text: &str| {
        read(Format::Sarif, text.as_bytes(), "/srv/app").expect_err("it is refused").to_string()
    };
    assert_eq!(why(r#"{"version": "2.1.0", "runs": ["#), "it ends in the middle");
    assert_eq!(
        why(r#"{"version": "1.0.0", "runs": []}"#),
        "it is not SARIF: its version is 1.0.0, and 2.1.0 is what is read"
    );
    assert_eq!(why("{}"), "it is not SARIF: it has no `version`");
    assert_eq!(
        why(r#"{"version": "2.1.0", "runs": []}"#),
        "it is not SARIF: it holds no run of a tool"
    );
    assert!(why("<checkstyle/>").starts_with("it is not SARIF: expected value at line 1"));
    assert!(why(r#"{"version": "2.1.0", "runs": 3}"#).contains("at line 1 column"));
    let report = read(
        Format::Sarif,
        b"\xef\xbb\xbf{\"version\":\"2.1.0\",\"runs\":[{\"results\":[]}]}",
        "/",
    );
    assert!(report.is_ok(), "a byte order mark is let pass");
}

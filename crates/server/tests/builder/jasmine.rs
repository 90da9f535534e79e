//! What the real ends of one runner mean: exit code, report and output together.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toehold_core::model::{Failure, StepKind};
use toehold_core::pipeline::{Ended, Evidence, Format, Ran, outcome};
use toehold_server::builder::report::gather;

/// How Jasmine's run of this name is judged; its report is named and lies beside its output.
fn judged(name: &str) -> Result<String, Box<Failure>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports").join(name);
    let text = |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default();
    let code = text("rc").trim().parse().unwrap_or(0);
    let output = format!("{}{}", text("stdout.txt"), text("stderr.txt"));
    let tail: Vec<String> = output.lines().map(str::to_owned).collect();
    let pattern = "junit.xml".to_owned();
    let found = gather(&dir, Format::Junit, &pattern);
    let judged = outcome(&Ran {
        kind: StepKind::Test,
        command: "npx jasmine",
        scripts: &BTreeMap::new(),
        ended: Ended::Code(code),
        took_ms: 700,
        evidence: vec![Evidence { format: Format::Junit, pattern, found }],
        tail: &tail,
        checkout: &format!("/srv/app/{}", name.trim_start_matches("jasmine-")),
        baseline: &[],
        ratchet: false,
    });
    judged.failure.map_or(Ok(judged.outcome.summary), |failure| Err(Box::new(failure)))
}

#[test]
fn a_run_that_passes() {
    assert_eq!(judged("jasmine-pass"), Ok("jasmine 3 passed".to_owned()));
}

#[test]
fn no_run_that_went_wrong_passes_and_each_says_what() {
    let missing = "and no report matches `junit.xml`";
    for (name, what) in [
        ("jasmine-fail", "jasmine: 4 of 8 failed".to_owned()),
        ("jasmine-uncaught", "jasmine: 1 of 4 failed".to_owned()),
        (
            "jasmine-afterall",
            "jasmine ended with exit code 3, though none of 4 tests failed, at spec/aSpec.js:1"
                .to_owned(),
        ),
        (
            "jasmine-focused",
            "jasmine ended with exit code 2, though none of 4 tests failed".to_owned(),
        ),
        (
            "jasmine-syntaxerror",
            format!("jasmine ended with exit code 1, {missing}, at spec/aSpec.js:2"),
        ),
        (
            "jasmine-loaderror",
            format!("jasmine ended with exit code 1, {missing}, at spec/aSpec.js:1"),
        ),
        (
            "jasmine-emptysuite",
            format!("jasmine ended with exit code 1, {missing}, at spec/aSpec.js:1"),
        ),
        ("jasmine-nospecs", format!("jasmine ended with exit code 2, {missing}")),
        ("jasmine-exit0", format!("jasmine ended with exit code 4, {missing}")),
        (
            "jasmine-crash",
            format!("jasmine ended with exit code 134 (SIGABRT), {missing}, at spec/aSpec.js:1"),
        ),
        ("jasmine-hang", format!("jasmine ended with exit code 124, {missing}")),
        (
            "jasmine-noreporter",
            "no report matches `junit.xml`, though jasmine ended with exit code 0".to_owned(),
        ),
    ] {
        assert_eq!(judged(name).expect_err(name).what, what, "{name}");
    }
}

#[test]
fn the_mail_about_a_failure_has_all_it_needs() {
    let failure = judged("jasmine-fail").expect_err("four tests failed");
    assert_eq!(failure.cases.len(), 4);
    let first = &failure.cases[0];
    assert_eq!((first.file.as_deref(), first.line), (Some("spec/failSpec.js"), Some(2)));
    assert!(first.message.contains("Expected $.a = 1 to equal 2."), "{}", first.message);
    assert!(failure.cases[3].line.is_none(), "those with a place come first");
    assert_eq!(failure.tail.len(), 30);
    assert_eq!(failure.hint, "run `npx jasmine` in your checkout");
}

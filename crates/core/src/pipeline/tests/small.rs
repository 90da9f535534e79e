//! Tools, counts, places, findings, the order of steps.

use std::collections::BTreeMap;

use crate::model::{Issue, Report, Severity, StepKind, StepOutcome};
use crate::pipeline::counts::Counts;
use crate::pipeline::tool::tool;
use crate::pipeline::{compare, inside, next, place, verdicts};
use crate::spec::Spec;

#[test]
fn a_tool_has_the_name_people_say() {
    let scripts: BTreeMap<String, String> = [
        ("test", "NODE_ENV=test jasmine --config=x.json"),
        ("lint", "jshint --reporter=checkstyle . > x.xml"),
        ("loop", "npm run loop"),
        ("unit", "npm test"),
    ]
    .map(|(name, script)| (name.to_owned(), script.to_owned()))
    .into();
    for (command, name) in [
        ("npx jasmine", "jasmine"),
        ("npx --yes jshint --reporter=checkstyle . > out.xml", "jshint"),
        ("npm test", "jasmine"),
        ("npm run lint", "jshint"),
        ("npm run unit -- --grep x", "jasmine"),
        ("npm run loop", "npm"),
        ("npm run nothing", "npm"),
        ("yarn lint", "jshint"),
        ("cd app && ./node_modules/.bin/mocha", "mocha"),
        ("! timeout 5 env A=1 B=2 jshint .", "jshint"),
        ("python3 -m pytest -q", "pytest"),
        ("export A=\"$PWD\"; python3 -m pytest", "pytest"),
        ("node --test", "node"),
        ("node spec/run.js", "run.js"),
        ("sh ./check.sh", "check.sh"),
        ("cargo test --locked", "cargo"),
        ("bundle exec rspec", "rspec"),
        ("npm ci", "npm"),
        ("&& ;", "&& ;"),
    ] {
        assert_eq!(tool(command, &scripts), name, "{command}");
    }
}

#[test]
fn what_runners_print_is_counted() {
    for (printed, counted) in [
        ("10 specs, 4 failures, 2 pending specs", "4 passed, 4 failed, 2 skipped"),
        ("1 spec, 0 failures", "1 passed"),
        ("  12 passing (30ms)\n  1 failing", "12 passed, 1 failed"),
        ("Tests:       1 failed, 2 skipped, 3 passed, 6 total", "3 passed, 1 failed, 2 skipped"),
        ("      Tests  1 failed | 2 passed (3)", "2 passed, 1 failed"),
        ("ℹ tests 3\nℹ pass 2\nℹ fail 1\nℹ skipped 0", "2 passed, 1 failed"),
        ("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured", "3 passed, 1 skipped"),
        ("===== 1 failed, 2 passed in 0.12s =====", "2 passed, 1 failed"),
        ("Ran 3 tests in 0.001s", "3 passed"),
    ] {
        let lines: Vec<String> = printed.lines().map(str::to_owned).collect();
        let counts = Counts::printed(&lines).expect(printed);
        assert_eq!(counts.to_string(), counted, "{printed}");
    }
    let nothing = ["No specs found", "listening on 3000", "GET /passed 200"].map(str::to_owned);
    assert_eq!(Counts::printed(&nothing), None);
}

#[test]
fn a_place_is_the_first_in_the_checkout() {
    for (text, found) in [
        (
            "at <Jasmine>\n  at UserContext.<anonymous> (/srv/app/spec/a.js:2:64)",
            Some("spec/a.js:2"),
        ),
        ("at x (/srv/app/node_modules/jest/r.js:1:1)\nat y (/srv/app/t.js:9:1)", Some("t.js:9")),
        ("at listOnTimeout (node:internal/timers:581:17)", None),
        ("at Module._load (internal/modules/cjs/loader.js:583:3)", None),
        ("at z (/usr/lib/node/thing.js:1:1)", None),
        ("at file:///srv/app/lib/x.mjs:3:4", Some("lib/x.mjs:3")),
        ("/srv/app/spec/aSpec.js:2\n\n\nSyntaxError", Some("spec/aSpec.js:2")),
        ("1: /srv/app/spec/aSpec.js:1:68", Some("spec/aSpec.js:1")),
        (" ❯ v.vitest.test.mjs:2:88", Some("v.vitest.test.mjs:2")),
        ("      at Context.<anonymous> (t/m.mocha.js:2:92)", Some("t/m.mocha.js:2")),
        ("E   assert 1 == 2\n\nt/test_p.py:3: AssertionError", Some("t/test_p.py:3")),
        (
            "  File \"/usr/lib/python3/unittest.py\", line 7, in x\n  File \"/srv/app/test_a.py\", \
             line 4, in test_a",
            Some("test_a.py:4"),
        ),
        ("thread 'x' panicked at src/lib.rs:10:5:", Some("src/lib.rs:10")),
        ("  location: '/srv/app/t/n.test.js:2:43'", Some("t/n.test.js:2")),
        ("at x (/srv/app/a folder/b.js:3:1)", Some("a folder/b.js:3")),
        ("at 2026-01-01 12:30:45 GET http://localhost:3000/x.js:1", None),
        ("connect ECONNREFUSED 127.0.0.1:6379", None),
        ("../other/x.js:1:1", None),
        ("x.js:0", None),
        (":1:2:3 .js:4", None),
    ] {
        let place = place(text, "/srv/app").map(|(file, line)| format!("{file}:{line}"));
        assert_eq!(place.as_deref(), found, "{text}");
    }
    assert_eq!(inside("./a/b.js", "/srv/app").as_deref(), Some("a/b.js"));
    assert_eq!(inside("/srv/application/b.js", "/srv/app"), None);
}

fn issue(file: &str, line: u32, message: &str) -> Issue {
    Issue {
        file: file.into(),
        line,
        column: 1,
        severity: Severity::Warning,
        rule: "jshint.W033".into(),
        message: message.into(),
    }
}

fn lines(issues: &[Issue]) -> Vec<u32> {
    issues.iter().map(|issue| issue.line).collect()
}

#[test]
fn a_finding_is_the_same_wherever_its_line_went() {
    let before = [issue("a.js", 10, "Missing semicolon."), issue("a.js", 20, "Missing semicolon.")];
    let after = [
        issue("a.js", 13, "Missing semicolon."),
        issue("a.js", 23, "Missing semicolon."),
        issue("a.js", 200, "Missing semicolon."),
        issue("b.js", 10, "Missing semicolon."),
    ];
    let summary = compare(&before, &after);
    assert_eq!(lines(&summary.outstanding), [13, 23]);
    assert_eq!(lines(&summary.new), [200, 10]);
    assert!(summary.fixed.is_empty());
    let back = compare(&after, &before);
    assert_eq!((lines(&back.fixed), back.new.len()), (vec![200, 10], 0));
}

#[test]
fn a_number_in_a_message_does_not_make_it_another_finding() {
    let before = [issue("a.js", 1, "Line is too long. (121)"), issue("a.js", 9, "'a1' is unused")];
    let after = [issue("a.js", 2, "Line is too long. (99)"), issue("a.js", 9, "'b1' is unused")];
    let summary = compare(&before, &after);
    assert_eq!((summary.outstanding.len(), summary.new.len(), summary.fixed.len()), (1, 1, 1));
}

#[test]
fn many_equal_findings_are_counted_not_multiplied() {
    let many = |count: u32| -> Vec<Issue> { (1..=count).map(|n| issue("a.js", n, "x")).collect() };
    let summary = compare(&many(20_000), &many(20_003));
    assert_eq!((summary.outstanding.len(), summary.new.len()), (20_000, 3));
}

fn ended(kind: StepKind, passed: bool) -> StepOutcome {
    StepOutcome {
        kind,
        passed,
        summary: kind.to_string(),
        took_ms: 1,
        tests: None,
        report: Report::default(),
        issues: None,
    }
}

#[test]
fn steps_come_in_order_and_stop_where_one_fails() {
    let mut build = Spec::default().build;
    build.test = Some("npm test".into());
    let mut done = Vec::new();
    let mut order = Vec::new();
    while let Some(kind) = next(&build, &done) {
        order.push(kind);
        done.push(ended(kind, true));
    }
    assert_eq!(order, [StepKind::Fetch, StepKind::Test, StepKind::Artifact]);
    assert_eq!(next(&build, &[ended(StepKind::Fetch, true), ended(StepKind::Test, false)]), None);
    let verdicts = verdicts(&build, &done);
    assert_eq!(verdicts[&StepKind::Lint].summary, "not configured");
    assert_eq!(verdicts[&StepKind::Test].summary, "test");
}

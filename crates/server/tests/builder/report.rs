//! What must be read from reports that tools really wrote.

use std::fs;

use toehold_core::model::{CaseOutcome, Report, Severity};
use toehold_core::pipeline::{Format, Found};
use toehold_server::builder::report::{MAX_BYTES, MAX_ENTRIES, Unreadable, gather, read, remove};

use crate::samples::{Sample, cases as counts, samples};

fn report(name: &str) -> Report {
    match Sample::named(name).read() {
        Some(Ok(report)) => report,
        Some(Err(error)) => panic!("{name}: {error}"),
        None => panic!("{name} is not there"),
    }
}

/// Each failed case: suite, name, place, the first line of its message.
fn failures(report: &Report) -> Vec<String> {
    report
        .cases
        .iter()
        .filter(|case| case.outcome == CaseOutcome::Failed)
        .map(|case| {
            let place = match (&case.file, case.line) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                (Some(file), None) => file.clone(),
                (None, _) => "nowhere".to_owned(),
            };
            let message = case.message.lines().next().unwrap_or_default();
            format!("{} | {} | {place} | {message}", case.suite, case.name)
        })
        .collect()
}

#[test]
fn jasmine_with_failures_and_a_raw_nul() {
    let report = report("jasmine-fail/junit.xml");
    assert_eq!(counts(&report), (4, 4, 2));
    let suite = "broken <suite> & \"quotes\"";
    assert_eq!(
        failures(&report),
        [
            format!(
                "{suite} | fails with an expectation | spec/failSpec.js:2 | Expected $.a = 1 to equal 2."
            ),
            format!(
                "{suite} | throws | spec/failSpec.js:3 | Error: boom <xml> & ]]> [31mansi[0m nul"
            ),
            format!("{suite} | rejects | spec/failSpec.js:4 | TypeError: nope"),
            format!(
                "{suite} | times out | nowhere | Error: Timeout - Async function did not complete \
                 within 200ms (custom timeout)"
            ),
        ]
    );
    let first = report.cases.iter().find(|case| case.outcome == CaseOutcome::Failed);
    let message = &first.expect("there are failures").message;
    assert!(message.contains("Expected 1 to be 2."), "every failure of a case: {message}");
}

#[test]
fn jasmine_reports_that_need_the_exit_code_beside_them() {
    assert_eq!(counts(&report("jasmine-pass/junit.xml")), (3, 0, 0));
    assert_eq!(counts(&report("jasmine-afterall/junit.xml")), (4, 0, 0), "and yet it ended with 3");
    assert_eq!(counts(&report("jasmine-focused/junit.xml")), (4, 0, 0), "and yet it ended with 2");
    assert_eq!(
        failures(&report("jasmine-uncaught/junit.xml")),
        ["late | a | spec/aSpec.js:1 | Uncaught exception: Error: uncaught late"]
    );
}

#[test]
fn jest_counts_a_todo_as_a_case() {
    let report = report("dialects/jest.xml");
    assert_eq!(counts(&report), (2, 1, 1), "the file itself says 3 tests");
    assert_eq!(
        failures(&report),
        [
            "outer fails | outer fails | t/j.jest.test.js:1 | Error: expect(received).toBe(expected) // \
          Object.is equality"
        ]
    );
}

#[test]
fn vitest_names_the_file_as_class() {
    let report = report("dialects/vitest.xml");
    assert_eq!(counts(&report), (1, 1, 2));
    assert_eq!(
        failures(&report),
        [
            "v.vitest.test.mjs | outer > fails | v.vitest.test.mjs:2 | AssertionError: expected 1 to be \
          2 // Object.is equality"
        ]
    );
}

#[test]
fn node_nests_suites_and_repeats_the_failure_as_an_attribute() {
    let report = report("dialects/node.xml");
    assert_eq!(counts(&report), (2, 1, 2));
    let failures = failures(&report);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].starts_with("outer | fails | t/n.node.test.js:2 | "), "{failures:?}");
    assert_eq!(report.cases.last().expect("there are cases").suite, "sub");
}

#[test]
fn mocha_has_a_suite_as_root_and_counts_a_failure_as_an_error() {
    let report = report("dialects/mocha.xunit.xml");
    assert_eq!(counts(&report), (1, 1, 1));
    assert_eq!(
        failures(&report),
        ["outer inner | fails <b> | t/m.mocha.js:2 | Expected values to be strictly equal:"]
    );
}

#[test]
fn pytest_has_errors_beside_failures_and_expects_some() {
    let report = report("dialects/pytest.xml");
    assert_eq!(counts(&report), (1, 2, 2));
    let failures = failures(&report);
    assert_eq!(failures[0], "t.test_p | test_fail | t/test_p.py:3 | assert 1 == 2");
    assert!(failures[1].starts_with("t.test_p | test_error | t/test_p.py:9 | "), "{failures:?}");
    assert_eq!(counts(&self::report("dialects/pytest-none.xml")), (0, 0, 0));
}

#[test]
fn tap_of_mocha_has_its_plan_last() {
    let report = report("dialects/mocha.tap");
    assert_eq!(counts(&report), (1, 1, 1));
    assert_eq!(
        failures(&report),
        [" | outer inner fails <b> | t/m.mocha.js:2 | Expected values to be strictly equal:"]
    );
}

#[test]
fn tap_of_node_nests_by_indentation() {
    let report = report("dialects/node.tap");
    assert_eq!(counts(&report), (2, 1, 2), "parents are their children");
    assert_eq!(
        failures(&report),
        ["outer | fails | t/n.node.test.js:2 | Expected values to be strictly equal:"]
    );
    let names: Vec<&str> = report.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["passes", "fails", "skipped", "todo", "x"]);
}

#[test]
fn tap_of_vitest_nests_in_braces() {
    let report = report("dialects/vitest.tap");
    assert_eq!(counts(&report), (1, 1, 2));
    assert_eq!(
        failures(&report),
        ["v.vitest.test.mjs > outer | fails | v.vitest.test.mjs:2 | expected 1 to be 2 // Object.is \
          equality"]
            .map(|it| it.replace("| v.vitest", "| t/v.vitest"))
    );
}

/// Each finding as people write it.
fn findings(name: &str) -> Vec<String> {
    let show = |issue: &toehold_core::model::Issue| {
        let toehold_core::model::Issue { file, line, column, severity, rule, message } = issue;
        format!("{file}:{line}:{column} {severity:?} {rule} {message}")
    };
    report(name).issues.iter().map(show).collect()
}

#[test]
fn checkstyle_of_jshint() {
    assert_eq!(
        findings("jshint-badjs.checkstyle.xml"),
        [
            "bad.js:2:10 Warning jshint.W033 Missing semicolon.",
            "bad.js:4:18 Warning jshint.W061 eval can be harmful.",
            "bad.js:5:1 Warning jshint.W117 'undefinedFn' is not defined.",
            "bad.js:3:5 Warning jshint.W098 'unused' is defined but never used.",
        ]
    );
    assert_eq!(
        findings("jshint-binjs.checkstyle.xml"),
        ["bin.js:1:1 Error jshint.E024 Unexpected ''."]
    );
    assert!(findings("jshint-pass.checkstyle.xml").is_empty());
    assert!(findings("jshint-missingjs.checkstyle.xml").is_empty(), "only its stderr tells");
    assert_eq!(findings("jshint-syntaxjs.checkstyle.xml").len(), 7);
    assert_eq!(findings("jshint-seed-appjs.checkstyle.xml").len(), 24);
    let many = report("jshint-manyjs.checkstyle.xml").issues;
    assert!(many.len() > 400 && many.iter().all(|it| it.severity == Severity::Warning));
}

#[test]
fn checkstyle_with_a_file_name_that_is_not_escaped() {
    let whole = findings("jshint-dir.checkstyle.xml");
    assert!(whole.iter().any(|it| it.starts_with("we ird&.js:2:8")), "in a file of several");
    let findings = findings("jshint-weirdjs.checkstyle.xml");
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[1], "we ird&.js:2:9 Warning jshint.W033 Missing semicolon.");
}

#[test]
fn checkstyle_of_eslint_has_absolute_names() {
    let findings = findings("dialects/eslint.checkstyle.xml");
    assert_eq!(findings[0], "t/bad.js:2:10 Error eslint.rules.semi Missing semicolon. (semi)");
    assert!(findings.iter().any(|it| it.contains("Warning eslint.rules.no-unused-vars")));
}

/// Every report among the samples: name, format, checkout, content.
fn written() -> impl Iterator<Item = (String, Format, &'static str, Vec<u8>)> {
    samples().filter_map(|it| Some((it.path(), it.format?, it.checkout, it.bytes()?)))
}

#[test]
fn a_report_that_was_cut_off_is_never_taken_for_a_whole_one() {
    for (name, format, checkout, whole) in written() {
        let text = String::from_utf8_lossy(&whole);
        let body = text.trim_end().len().min(whole.len());
        // The long ones are the same over and over.
        let step = if body < 10_000 { 97 } else { 1_999 };
        for end in (0..body).step_by(step) {
            let cut = read(format, &whole[..end], checkout);
            let told = cut.is_err() || (format == Format::Tap && text[..end].contains("1.."));
            assert!(told, "{name} cut at {end} was read as {cut:?}");
        }
    }
}

#[test]
fn a_hostile_report_is_refused_in_time() {
    let junit = |text: &str| read(Format::Junit, text.as_bytes(), "/srv/app");
    assert_eq!(junit(" \n "), Err(Unreadable::Empty));
    assert!(matches!(junit("<html></html>"), Err(Unreadable::Other { .. })));
    assert!(matches!(junit("1..3"), Err(Unreadable::Other { .. })));
    assert!(matches!(junit(&"<testsuite>".repeat(200)), Err(Unreadable::TooDeep(_))));
    let huge = vec![b' '; MAX_BYTES + 1];
    assert_eq!(read(Format::Junit, &huge, "/"), Err(Unreadable::TooLarge));
    let laughs = r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
        <!ENTITY c SYSTEM "file:///etc/passwd">]>
        <testsuite><testcase name="&b;"><failure>&b;&c;</failure></testcase></testsuite>"#;
    assert_eq!(
        junit(laughs).expect_err("no tool declares entities").to_string(),
        "it is not JUnit XML: line 1: it declares entities of its own"
    );
    let unknown = "<!DOCTYPE x><testsuite><testcase name='&b;'/></testsuite>";
    let report = junit(unknown).expect("what nobody declared stays as it is written");
    assert_eq!(report.cases[0].name, "&b;");
    let long = format!(
        "<testsuite><testcase name='x'><failure>{}</failure></testcase></testsuite>",
        "y".repeat(1 << 20)
    );
    assert!(junit(&long).expect("it is well-formed").cases[0].message.len() < 10_000);
}

/// Each of these is small enough to be read, and would take a careless reader hours or all memory.
#[test]
fn what_is_many_times_as_much_as_its_bytes_is_refused_or_cut() {
    let junit = |text: &str| read(Format::Junit, text.as_bytes(), "/srv/app");
    let tap = |text: &str| read(Format::Tap, text.as_bytes(), "/srv/app");
    let name = "s".repeat(1 << 20);
    let many = "<testcase/>".repeat(MAX_ENTRIES + 1);
    let suites = format!("<testsuite name='{name}'>").repeat(20);
    assert_eq!(junit(&format!("<testsuite>{many}</testsuite>")), Err(Unreadable::TooMany));
    let fewer = "<testcase/>".repeat(20_000);
    let closed = "</testsuite>".repeat(20);
    let report = junit(&format!("{suites}{fewer}{closed}")).expect("it is well-formed");
    assert!(report.cases.iter().all(|case| case.suite.len() < 600));
    let one = |n: u32| format!("<failure message='{n}'/>");
    let failures = (0..500_000).map(one).collect::<Vec<_>>().concat();
    let report = junit(&format!("<testsuite><testcase>{failures}</testcase></testsuite>"));
    assert!(report.expect("it is well-formed").cases[0].message.len() < 10_000);
    let errors = "<error/>".repeat(MAX_ENTRIES + 1);
    let lint = format!("<checkstyle><file name='{name}'>{errors}</file></checkstyle>");
    assert_eq!(read(Format::Checkstyle, lint.as_bytes(), "/"), Err(Unreadable::TooMany));
    assert!(matches!(tap(&"ok 1 - a {\n".repeat(1_000_000)), Err(Unreadable::TooDeep(_))));
    let one = |n: usize| format!("{}# Subtest: a\n", " ".repeat(n * 4));
    let announced = (0..2_000).map(one).collect::<Vec<_>>().concat();
    assert!(matches!(tap(&announced), Err(Unreadable::TooDeep(_))));
    assert_eq!(tap(&"ok\n".repeat(MAX_ENTRIES + 1)), Err(Unreadable::TooMany));
    assert!(tap(&format!("1..{}\nok\n", usize::MAX)).is_err(), "a plan beyond all counting");
    let sarif = |text: &str| read(Format::Sarif, text.as_bytes(), "/");
    let results = "{},".repeat(MAX_ENTRIES + 1);
    let results = results.trim_end_matches(',');
    assert_eq!(
        sarif(&format!(r#"{{"version":"2.1.0","runs":[{{"results":[{results}]}}]}}"#)),
        Err(Unreadable::TooMany)
    );
    let deep = format!(r#"{{"version":"2.1.0","runs":{}"#, "[".repeat(1_000_000));
    assert!(matches!(sarif(&deep), Err(Unreadable::Other { .. })));
}

#[test]
fn tap_that_says_too_little_is_refused() {
    let tap = |text: &str| read(Format::Tap, text.as_bytes(), "/srv/app");
    assert_eq!(tap("1..3\nok 1\nok 2"), Err(Unreadable::Short { planned: 3, seen: 2 }));
    assert!(matches!(tap("ok 1 - a\n"), Err(Unreadable::Other { .. })), "no plan");
    assert_eq!(counts(&tap("1..0 # SKIP nothing here").expect("a plan of none")), (0, 0, 0));
    let bailed = tap("1..9\nok 1\nBail out! no database\n").expect("it says why it stopped");
    assert_eq!(failures(&bailed), [" | bailed out: no database | nowhere | "]);
    let todo = tap("not ok 1 - later # TODO not yet\nnot ok 2 - now\nok 3 - a \\# b\n1..3");
    assert_eq!(counts(&todo.expect("it has a plan")), (1, 1, 1));
    let hook = "# Subtest: outer\n    ok 1 - inner\n    1..1\nnot ok 1 - outer\n  ---\n  error: 'after \
                hook'\n  ...\n1..1";
    let hook = tap(hook).expect("it has a plan");
    assert_eq!(failures(&hook), [" | outer | nowhere | after hook"], "no child explains it");
}

#[test]
fn reports_are_found_by_their_pattern() {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let one = "<testsuite><testcase name='a'/></testsuite>";
    put("reports/a.xml", one);
    put("reports/deep/b.xml", one);
    put("node_modules/x/reports/c.xml", one);
    put("reports/readme.txt", "no report");
    let count = |pattern: &str| match gather(dir.path(), Format::Junit, pattern) {
        Found::Read(report) => report.cases.len(),
        Found::Missing => 0,
        Found::Broken { file, why } => panic!("{file}: {why}"),
    };
    assert_eq!(count("reports/**/*.xml"), 2);
    assert_eq!(count("reports/*.xml"), 1);
    assert_eq!(count("**/*.xml"), 2, "dependencies are not looked into");
    assert_eq!(count("absent/*.xml"), 0);
    let broken = gather(dir.path(), Format::Junit, "reports/*.txt");
    assert!(matches!(broken, Found::Broken { file, .. } if file == "reports/readme.txt"));
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.xml")).expect("a link");
    assert_eq!(count("link.xml"), 0, "a link is not a report");
    assert_eq!(remove(dir.path(), "reports/**/*.xml"), 2);
    assert_eq!(count("reports/**/*.xml"), 0);
}

#[test]
fn a_damaged_report_is_read_or_refused_and_never_more() {
    // Numbers that look random and are the same each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let odd = [
        b"<".as_slice(),
        b">",
        b"&",
        b"\0",
        b"\xff",
        b"\"",
        b"ok",
        b"not ok 9",
        b"1..",
        b"{",
        b"}",
        b"---\n",
    ];
    for (_, format, checkout, whole) in written() {
        let rounds = if whole.len() < 10_000 { 200 } else { 10 };
        for _ in 0..rounds {
            let mut damaged = whole.clone();
            for _ in 0..=next(4) {
                let at = next(damaged.len());
                let end = (at + next(40)).min(damaged.len());
                damaged.splice(at..end, odd[next(odd.len())].iter().copied());
                if damaged.is_empty() {
                    break;
                }
            }
            // That it comes back at all is what is asked here.
            let _ = read(format, &damaged, checkout);
        }
    }
}

//! The pipeline of an app, step by step.

use std::ffi::OsString;
use std::fs;

use toehold_core::model::{CaseOutcome, Number, StepKind};
use toehold_server::builder::findings;

use crate::stage::{Stage, executable, toml};

/// A Node app without dependencies, whose test writes a report.
const PACKAGE: &str = r#"{
  "name": "shop",
  "scripts": { "start": "node main.js", "test": "node spec/run.js", "lint": "node lint.js" }
}"#;

const TEST: &str = r#"
const fs = require("fs");
const assert = require("assert");
let failure = "";
try {
  assert.strictEqual(require("../main.js").greeting, "hello");
} catch (error) {
  failure = `<failure message="greeting is wrong"><![CDATA[${error.stack}]]></failure>`;
}
fs.mkdirSync("reports", { recursive: true });
fs.writeFileSync("reports/junit.xml",
  `<testsuites><testsuite name="shop"><testcase classname="shop" name="greets">${failure}` +
  `</testcase><testcase classname="shop" name="is there"/></testsuite></testsuites>`);
console.log("2 specs");
process.exit(failure ? 3 : 0);
"#;

const LINT: &str = r#"
const fs = require("fs");
const lines = fs.readFileSync("main.js", "utf8").split("\n");
const found = lines.flatMap((line, at) => line.includes("var ") ?
  [`<error line="${at + 1}" column="1" severity="warning" message="no var" source="lint.var"/>`] : []);
fs.writeFileSync("checkstyle.xml",
  `<checkstyle version="4.3"><file name="main.js">${found.join("")}</file></checkstyle>`);
process.exit(found.length ? 2 : 0);
"#;

const REPORTS: &str =
    "[build.reports]\njunit = \"reports/*.xml\"\ncheckstyle = \"checkstyle.xml\"\n";

fn app(main: &str) -> Stage {
    Stage::with(&[
        ("package.json", PACKAGE),
        ("main.js", main),
        ("spec/run.js", TEST),
        ("lint.js", LINT),
        ("toehold.toml", REPORTS),
    ])
}

#[tokio::test]
async fn a_commit_becomes_an_artifact_with_its_verdict() {
    let mut stage = app("exports.greeting = \"hello\";\n");
    let passed = stage.passes().await;
    let summaries: Vec<&str> = passed.steps.iter().map(|step| step.summary.as_str()).collect();
    assert_eq!(
        summaries[..3],
        ["clean checkout", "run.js 2 passed", "lint.js 0 new · 0 fixed · 0 outstanding"]
    );
    assert_eq!(passed.spec.run.web.as_deref(), Some("node main.js"), "it was detected");
    let manifest = passed.manifest;
    assert_eq!(manifest.verdicts[&StepKind::Install].summary, "not configured");
    assert_eq!(manifest.verdicts[&StepKind::Test].summary, "run.js 2 passed");
    assert_eq!(
        stage.names(&manifest.digest),
        ["lint.js", "main.js", "package.json", "spec", "spec/run.js", "toehold.toml"]
    );
    let log = stage.log();
    assert!(log.contains("== test: npm test\n"), "{log}");
    assert!(log.contains("\n2 specs\n"), "{log}");
    assert!(log.ends_with("-- passed\n"), "{log}");
}

#[tokio::test]
async fn a_failing_test_is_named_with_file_and_line_and_makes_no_artifact() {
    let mut stage = app("exports.greeting = \"good bye\";\n");
    let failure = stage.fails().await;
    assert_eq!(failure.step, StepKind::Test);
    assert_eq!(failure.what, "run.js: 1 of 2 failed");
    assert_eq!(failure.exit, "exit code 3");
    let case = &failure.cases[0];
    assert_eq!((case.name.as_str(), case.outcome), ("greets", CaseOutcome::Failed));
    assert_eq!((case.file.as_deref(), case.line), (Some("spec/run.js"), Some(6)));
    assert!(case.message.starts_with("greeting is wrong"), "{}", case.message);
    assert_eq!(failure.tail.last().map(String::as_str), Some("2 specs"));
    assert!(!stage.dirs.artifacts.join("sha256").exists());
}

#[tokio::test]
async fn a_style_check_is_held_against_the_last_good_build() {
    let mut stage = app("var a = 1;\nexports.greeting = \"hello\";\n");
    let failure = stage.fails().await;
    assert_eq!(failure.what, "lint.js: 1 new finding, 0 outstanding");
    assert_eq!((failure.issues[0].file.as_str(), failure.issues[0].line), ("main.js", 1));
    let app = "shop".parse().expect("it is a name");
    stage.baseline = findings(&stage.dirs.logs, &app, Number(1));
    assert_eq!(stage.baseline.len(), 1);
    // Moved by a line, and let pass by the ratchet.
    stage.put("main.js", "\nvar a = 1;\nexports.greeting = \"hello\";\n");
    stage.put("toehold.toml", &format!("[build]\nlint_ratchet = true\n{REPORTS}"));
    let passed = stage.passes().await;
    assert_eq!(passed.steps[2].summary, "lint.js 0 new · 0 fixed · 1 outstanding");
}

#[tokio::test]
async fn a_report_in_the_repository_does_not_stand_for_a_run() {
    let mut stage = Stage::with(&[
        ("reports/old.xml", "<testsuite><testcase name='a'/></testsuite>"),
        ("toehold.toml", &toml("test = \"true\"\nreports.junit = \"reports/*.xml\"")),
    ]);
    let failure = stage.fails().await;
    assert_eq!(
        failure.what,
        "no report matches `reports/*.xml`, though true ended with exit code 0"
    );
    assert!(stage.log().contains("1 old reports"), "{}", stage.log());
}

#[tokio::test]
async fn what_cannot_be_understood_is_named_with_its_line() {
    for (name, text, what) in [
        (
            "toehold.toml",
            "[build]\ntets = \"x\"\n",
            "toehold.toml:2:1: unknown key `tets` in [build]: did you mean `test`?",
        ),
        (
            "package.json",
            "{\n  \"scripts\": {,}\n}",
            "package.json:2: is not JSON: key must be a string",
        ),
        (
            "README.md",
            "hello",
            "no command starts the app: neither toehold.toml nor a Procfile names one, and none could be told by its files",
        ),
    ] {
        let mut stage = Stage::with(&[(name, text)]);
        let failure = stage.fails().await;
        assert_eq!((failure.step, failure.what.as_str()), (StepKind::Fetch, what));
        assert!(!failure.hint.is_empty());
    }
}

#[tokio::test]
async fn dependencies_are_installed_once_for_a_lock_file() {
    let mut stage = Stage::with(&[
        ("package.json", r#"{ "main": "main.js", "dependencies": { "left": "1" } }"#),
        ("package-lock.json", r#"{ "lockfileVersion": 3 }"#),
        ("main.js", ""),
    ]);
    // A package manager that needs no registry.
    let bin = stage.dir.path().join("bin");
    executable(
        &bin.join("npm"),
        "#!/bin/sh\nset -e\necho \"npm $*\"\nmkdir -p node_modules/left node_modules/.bin\n\
         echo left > node_modules/left/index.js\nchmod 555 node_modules/left/index.js\n\
         ln -sf ../left/index.js node_modules/.bin/left\n",
    );
    let path = std::env::var("PATH").expect("there is a PATH");
    let path = OsString::from(format!("{}:{path}", bin.display()));
    stage.surroundings = vec![("PATH".into(), path)];
    let first = stage.passes().await;
    assert_eq!(first.steps[1].summary, "npm ci");
    assert!(stage.log().contains("\nnpm ci\n"));
    stage.put("main.js", "// changed\n");
    let second = stage.passes().await;
    assert_eq!(second.steps[1].summary, "cached");
    assert!(!stage.log().contains("\nnpm ci\n"));
    assert_ne!(first.manifest.digest, second.manifest.digest);
    let names = stage.names(&second.manifest.digest);
    assert!(names.contains(&"node_modules/.bin/left".to_owned()), "{names:?}");
    stage.put("main.js", "");
    let third = stage.passes().await;
    assert_eq!(first.manifest.digest, third.manifest.digest, "installed or cached, the same bytes");
    // Another lock file is other dependencies, and so is another range in package.json.
    stage.put("package-lock.json", r#"{ "lockfileVersion": 2 }"#);
    assert_eq!(stage.passes().await.steps[1].summary, "npm ci");
    stage.put("package.json", r#"{ "main": "main.js", "dependencies": { "left": "2" } }"#);
    assert_eq!(stage.passes().await.steps[1].summary, "npm ci");
    // What a build does to its copy harms no other.
    stage.put(
        "toehold.toml",
        &toml("test = \"chmod -R u+w . && echo bad > node_modules/left/index.js\""),
    );
    assert_eq!(stage.passes().await.steps[1].summary, "cached");
    let after = stage.passes().await;
    let left = stage.entries(&after.manifest.digest);
    assert!(left.contains(&("node_modules/left/index.js".to_owned(), "bad\n".to_owned())));
    stage.put("toehold.toml", &toml("test = \"grep left node_modules/left/index.js\""));
    stage.passes().await;
}

#[tokio::test]
async fn a_hollow_cache_is_not_believed() {
    let mut stage = Stage::with(&[
        ("package.json", r#"{ "main": "main.js" }"#),
        ("package-lock.json", "{}"),
        ("main.js", ""),
    ]);
    let bin = stage.dir.path().join("bin");
    executable(
        &bin.join("npm"),
        "#!/bin/sh\nmkdir node_modules\necho left > node_modules/left.js\n",
    );
    let path = std::env::var("PATH").expect("there is a PATH");
    stage.surroundings = vec![("PATH".into(), format!("{}:{path}", bin.display()).into())];
    let first = stage.passes().await;
    let kept = stage.dirs.cache.join("shop/dependencies");
    let entry = fs::read_dir(&kept).expect("it was kept").flatten().next().expect("one entry");
    let whole = fs::metadata(entry.path()).expect("it is there").len();
    let hollow = vec![0; usize::try_from(whole).expect("small")];
    fs::write(entry.path(), hollow).expect("a power cut");
    let second = stage.passes().await;
    assert_eq!(second.steps[1].summary, "npm ci");
    assert_eq!(first.manifest.digest, second.manifest.digest);
}

#[tokio::test]
async fn a_step_sees_nothing_of_toeholds_own_environment() {
    let mut stage =
        Stage::with(&[("toehold.toml", &toml("test = \"env | sort; pwd; id -u; cat; tty\""))]);
    stage.surroundings.push(("PASSED_ON".into(), "yes".into()));
    let failure = stage.fails().await;
    assert!(failure.what.contains("exit code"), "there is no terminal: {}", failure.what);
    let log = stage.log();
    assert!(log.contains("\nCI=true\n") && log.contains("\nPASSED_ON=yes\n"), "{log}");
    assert!(!log.contains("CARGO_"), "{log}");
    let home = stage.dirs.cache.join("shop/home");
    assert!(log.contains(&format!("\nHOME={}\n", home.display())), "{log}");
}

#[tokio::test]
async fn a_commit_in_quarantine_can_be_built_before_it_is_accepted() {
    let mut stage = app("exports.greeting = \"hello\";\n");
    let commit = stage.commit();
    let quarantine = stage.dir.path().join("quarantine");
    fs::rename(stage.repository().join("objects"), &quarantine).expect("moved");
    fs::create_dir_all(stage.repository().join("objects/pack")).expect("a folder");
    stage.objects = Some(quarantine);
    let order = stage.order(commit);
    let (progress, _seen) = tokio::sync::mpsc::channel(64);
    let ending =
        toehold_server::builder::build(order, progress, tokio_util::sync::CancellationToken::new());
    let ending = ending.await;
    assert!(matches!(ending, toehold_server::builder::Ending::Passed { .. }), "{ending:?}");
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_named() {
    let mut stage = app("");
    let order = stage.order("0123456789012345678901234567890123456789".parse().expect("hex"));
    let (progress, _seen) = tokio::sync::mpsc::channel(64);
    let cancel = tokio_util::sync::CancellationToken::new();
    let ending = toehold_server::builder::build(order, progress, cancel).await;
    let toehold_server::builder::Ending::Failed { failure, .. } = ending else {
        panic!("{ending:?}");
    };
    assert!(failure.what.starts_with("cannot check out 0123456"), "{}", failure.what);
}

#[tokio::test]
async fn a_report_nobody_can_read_makes_the_build_red_whatever_the_exit_code() {
    let lint = |write: &str| {
        let toml = toml("lint = \"sh lint.sh\"\nreports.checkstyle = \"c.xml\"");
        let lint = format!("{write}\nexit 0\n");
        Stage::with(&[("toehold.toml", &toml), ("lint.sh", &lint)])
    };
    let one = |n: u32| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    let entities = (1..10).map(one).collect::<Vec<_>>().concat();
    let laughs = format!(
        "<!DOCTYPE lolz [<!ENTITY l0 \"lol\">{entities}]><checkstyle><file name=\"&l9;\"/></checkstyle>"
    );
    for (write, why) in [
        ("echo '<checkstyle><file' > c.xml".to_owned(), "it ends in the middle"),
        (
            "echo '<checkstyle></file></checkstyle>' > c.xml".to_owned(),
            "it is not checkstyle XML: line 1: ill-formed document: expected `</checkstyle>`, but \
             `</file>` was found",
        ),
        ("head -c 40000000 /dev/zero > c.xml".to_owned(), "it is larger than 32 MiB"),
        (
            format!("cat > c.xml <<'END'\n{laughs}\nEND"),
            "it is not checkstyle XML: line 1: it declares entities of its own",
        ),
    ] {
        let failure = lint(&write).fails().await;
        assert_eq!(failure.step, StepKind::Lint);
        assert_eq!(
            failure.what,
            format!(
                "the report c.xml cannot be read: {why}, though lint.sh ended with exit code 0"
            )
        );
        assert!(!failure.hint.is_empty());
    }
}

#[tokio::test]
async fn tests_that_pass_in_a_run_that_died_are_red_with_the_signal() {
    let report = "<testsuite><testcase name='a'/><testcase name='b'/></testsuite>";
    let test = format!("echo \"{report}\" > j.xml\necho 2 passed\nkill -SEGV $$\n");
    let toml = toml("test = \"exec sh test.sh\"\nreports.junit = \"j.xml\"");
    let mut stage = Stage::with(&[("toehold.toml", &toml), ("test.sh", &test)]);
    let failure = stage.fails().await;
    assert_eq!(failure.exit, "killed by SIGSEGV");
    assert_eq!(failure.what, "test.sh was killed by SIGSEGV");
}

#[tokio::test]
async fn sarif_is_held_against_the_last_good_build_like_checkstyle() {
    let lint = r#"
const fs = require("fs");
const lines = fs.readFileSync("main.js", "utf8").split("\n");
const results = lines.flatMap((line, at) => line.includes("var ") ? [{ ruleId: "no-var",
  message: { text: "no var" }, locations: [{ physicalLocation: {
    artifactLocation: { uri: "file://" + process.cwd() + "/main.js" },
    region: { startLine: at + 1, startColumn: 1 } } }] }] : []);
fs.writeFileSync("lint.sarif", JSON.stringify({ version: "2.1.0", runs: [{ results }] }));
process.exit(results.length ? 1 : 0);
"#;
    let mut stage = Stage::with(&[
        ("main.js", "var a;\n"),
        ("lint.js", lint),
        ("toehold.toml", &toml("lint = \"node lint.js\"\nreports.sarif = \"*.sarif\"")),
    ]);
    let failure = stage.fails().await;
    assert_eq!(failure.what, "lint.js: 1 new finding, 0 outstanding");
    let found = &failure.issues[0];
    assert_eq!((found.file.as_str(), found.line, found.rule.as_str()), ("main.js", 1, "no-var"));
    stage.put("main.js", "let a;\n");
    stage.passes().await;
}

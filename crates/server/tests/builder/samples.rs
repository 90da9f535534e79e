//! Every sample of a report in `tests/reports`, each as a tool really wrote it, with what must be
//! read from it and what its run meant. A sample without a row here fails the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toehold_core::model::{CaseOutcome, Failure, Report, Severity, StepKind};
use toehold_core::pipeline::{Ended, Evidence, Format, Found, Judged, Ran, outcome};
use toehold_server::builder::report::{Unreadable, read};

/// What is known of a sample.
pub(crate) struct Sample {
    /// The beginning of the names of its files.
    pub(crate) name: &'static str,
    /// The rest of the name of its report; the tool may not have written one.
    pub(crate) report: &'static str,
    /// The format, where a report is named for the step; else what was printed has to do.
    pub(crate) format: Option<Format>,
    /// The checkout its paths lie in.
    pub(crate) checkout: &'static str,
    /// What was run, and the code it ended with.
    command: &'static str,
    code: i32,
    /// Tests that passed, failed and were skipped.
    cases: (usize, usize, usize),
    /// Findings to mend, to look at and to know.
    findings: (usize, usize, usize),
    /// What the step's end meant: its summary where it passed, else why it failed.
    verdict: Result<&'static str, &'static str>,
}

/// The table, a line for each sample.
const TABLE: &str = include_str!("samples.txt");

pub(crate) fn samples() -> impl Iterator<Item = Sample> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(Sample::of)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

fn three(cell: &str) -> (usize, usize, usize) {
    let numbers: Vec<usize> = cell.split(' ').filter_map(|it| it.parse().ok()).collect();
    let [first, second, third] = numbers[..] else { panic!("three numbers: {cell}") };
    (first, second, third)
}

impl Sample {
    /// A sample of this name.
    pub(crate) fn named(name: &str) -> Self {
        samples().find(|it| it.name == name || it.path() == name).expect("the sample is listed")
    }

    fn of(line: &'static str) -> Self {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [sample, format, checkout, command, code, cases, findings, verdict] = cells[..] else {
            panic!("a sample has eight cells: {line}");
        };
        let (name, report) = sample.split_once('+').unwrap_or((sample, ""));
        let format = match format {
            "junit" => Some(Format::Junit),
            "tap" => Some(Format::Tap),
            "checkstyle" => Some(Format::Checkstyle),
            "sarif" => Some(Format::Sarif),
            "printed" => None,
            other => panic!("there is no format {other}"),
        };
        let verdict = match verdict.split_once(": ") {
            Some(("passed", summary)) => Ok(summary),
            Some(("failed", why)) => Err(why),
            _ => panic!("it passed or failed: {verdict}"),
        };
        let (cases, findings) = (three(cases), three(findings));
        let code = code.parse().expect("a code is a number");
        Self { name, report, format, checkout, command, code, cases, findings, verdict }
    }

    pub(crate) fn path(&self) -> String {
        format!("{}{}", self.name, self.report)
    }

    /// Its report; `None` where the tool wrote none.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        fs::read(folder().join(self.path())).ok()
    }

    fn text(&self, end: &str) -> String {
        fs::read_to_string(folder().join(format!("{}{end}", self.name))).unwrap_or_default()
    }

    pub(crate) fn read(&self) -> Option<Result<Report, Unreadable>> {
        Some(read(self.format?, &self.bytes()?, self.checkout))
    }

    /// What its run meant.
    fn judged(&self) -> Judged {
        let pattern = if self.report.is_empty() { self.name } else { self.report }.to_owned();
        let found = match self.read() {
            Some(Ok(report)) => Found::Read(report),
            Some(Err(why)) => Found::Broken { file: pattern.clone(), why: why.to_string() },
            None => Found::Missing,
        };
        let evidence = self.format.map(|format| Evidence { format, pattern, found });
        let printed = match self.format {
            Some(_) => format!("{}{}", self.text("stdout.txt"), self.text("stderr.txt")),
            None => self.text(""),
        };
        let tail: Vec<String> = printed.lines().map(str::to_owned).collect();
        let is_lint = matches!(self.format, Some(Format::Checkstyle | Format::Sarif));
        outcome(&Ran {
            kind: if is_lint { StepKind::Lint } else { StepKind::Test },
            command: self.command,
            scripts: &BTreeMap::new(),
            ended: Ended::Code(self.code),
            took_ms: 700,
            evidence: evidence.into_iter().collect(),
            tail: &tail,
            checkout: self.checkout,
            baseline: &[],
            ratchet: false,
        })
    }
}

/// Passed, failed, skipped.
pub(crate) fn cases(report: &Report) -> (usize, usize, usize) {
    (
        report.count(CaseOutcome::Passed),
        report.count(CaseOutcome::Failed),
        report.count(CaseOutcome::Skipped),
    )
}

fn findings(report: &Report) -> (usize, usize, usize) {
    let count = |severity| report.issues.iter().filter(|it| it.severity == severity).count();
    (count(Severity::Error), count(Severity::Warning), count(Severity::Info))
}

#[test]
fn each_sample_is_read_and_judged_as_its_row_says() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let name = sample.path();
        let report = match sample.read() {
            Some(Ok(report)) => report,
            Some(Err(error)) => panic!("{name}: {error}"),
            None => Report::default(),
        };
        let judged = sample.judged();
        let verdict = match &judged.failure {
            None => Ok(judged.outcome.summary.as_str()),
            Some(failure) => Err(failure.what.as_str()),
        };
        let is = (cases(&report), findings(&report), verdict);
        if is != (sample.cases, sample.findings, sample.verdict) {
            wrong.push(format!("{name}: {is:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_sample_is_without_a_row_and_no_row_without_a_sample() {
    let root = folder();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("it lies there");
                files.push(name.to_string_lossy().into_owned());
            }
        }
    }
    for file in &files {
        let rows = samples().filter(|sample| file.starts_with(sample.name)).count();
        assert_eq!(rows, 1, "{file}: say in samples.txt what must be read from it");
    }
    for sample in samples() {
        let is_there = files.iter().any(|file| file.starts_with(sample.name));
        assert!(is_there, "{}: there is no such sample", sample.name);
    }
}

#[test]
fn no_run_that_went_wrong_passes() {
    for sample in samples().filter(|sample| sample.code != 0) {
        assert!(sample.verdict.is_err(), "{}", sample.name);
    }
}

#[test]
fn the_mail_about_a_failure_has_all_it_needs() {
    let judged = Sample::named("jasmine-fail/").judged();
    let failure: Failure = judged.failure.expect("four tests failed");
    assert_eq!(failure.cases.len(), 4);
    let first = &failure.cases[0];
    assert_eq!((first.file.as_deref(), first.line), (Some("spec/failSpec.js"), Some(2)));
    assert!(first.message.contains("Expected $.a = 1 to equal 2."), "{}", first.message);
    assert!(failure.cases[3].line.is_none(), "those with a place come first");
    assert_eq!(failure.tail.len(), 30);
    assert_eq!(failure.hint, "run `npx jasmine` in your checkout");
}

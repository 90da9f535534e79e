//! How many tests passed, failed and were skipped: from a report, or, where none is named, from
//! the last lines that runners print for people.

use std::fmt;

use crate::model::{CaseOutcome, Report, TestCounts};

/// Counted tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Counts {
    /// As the report has them.
    pub(super) fn of(report: &Report) -> Self {
        Self {
            passed: report.count(CaseOutcome::Passed),
            failed: report.count(CaseOutcome::Failed),
            skipped: report.count(CaseOutcome::Skipped),
        }
    }

    /// As a build's document has them.
    pub(super) const fn kept(self) -> TestCounts {
        TestCounts { passed: self.passed, failed: self.failed, skipped: self.skipped }
    }

    /// Tests that ran.
    pub(super) const fn ran(self) -> usize {
        self.passed + self.failed
    }

    /// As Jasmine, Mocha, Jest, Vitest, Node, Cargo, pytest or unittest printed them.
    pub(super) fn printed(lines: &[String]) -> Option<Self> {
        let mut counts = Self::default();
        let mut found = false;
        for line in lines {
            let line = line.trim().trim_matches('=').trim();
            found |= counts.take_in(line);
        }
        (found && counts != Self::default()).then_some(counts)
    }

    /// Adds what a line says; whether it said something.
    fn take_in(&mut self, line: &str) -> bool {
        let numbers = numbered(line);
        let number = |names: &[&str]| {
            numbers.iter().find(|(_, word)| names.contains(&word.as_str())).map(|(count, _)| *count)
        };
        if let Some(specs) = number(&["spec", "specs"])
            && let Some(failed) = number(&["failure", "failures"])
        {
            let skipped = line.rsplit_once(", ").map_or(0, |(_, last)| pending(last));
            *self = Self { passed: specs.saturating_sub(failed + skipped), failed, skipped };
            return true;
        }
        if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            return self.take_pair(rest);
        }
        if let Some(ran) = line.strip_prefix("Ran ").and_then(|_| number(&["test", "tests"])) {
            *self = Self { passed: ran, ..Self::default() };
            return true;
        }
        let summary = line.starts_with("Tests")
            || line.starts_with("test result:")
            || line.contains(" in ")
            || line.ends_with("failing")
            || line.ends_with("pending")
            || line.contains(" passing (");
        let passed = number(&["passed", "passing"]);
        let failed = number(&["failed", "failing"]);
        let skipped = number(&["skipped", "pending", "ignored"]);
        if !summary || (passed, failed, skipped) == (None, None, None) {
            return false;
        }
        self.passed += passed.unwrap_or(0);
        self.failed += failed.unwrap_or(0);
        self.skipped += skipped.unwrap_or(0);
        true
    }

    /// `pass 3`, as Node's runner writes it.
    fn take_pair(&mut self, line: &str) -> bool {
        let Some((word, count)) = line.split_once(' ') else { return false };
        let Ok(count) = count.parse() else { return false };
        match word {
            "pass" => self.passed = count,
            "fail" => self.failed = count,
            "skipped" => self.skipped = count,
            _ => return false,
        }
        true
    }
}

/// `2 pending specs`.
fn pending(text: &str) -> usize {
    if !text.contains("pending") {
        return 0;
    }
    text.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Each number with the word behind it.
fn numbered(line: &str) -> Vec<(usize, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let clean = |word: &str| word.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_owned();
    words.windows(2).filter_map(|pair| Some((pair[0].parse().ok()?, clean(pair[1])))).collect()
}

impl fmt::Display for Counts {
    /// `37 passed, 1 failed, 2 skipped`, without what is 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed", self.passed)?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

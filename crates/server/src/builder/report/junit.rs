//! `JUnit` XML: `<testsuites>` or `<testsuite>`, suites in suites, failures as elements or as an
//! attribute.

use toehold_core::model::{Case, CaseOutcome, Report};
use toehold_core::pipeline::{inside, place};

use super::xml::{Element, Piece, walk};
use super::{MAX_MESSAGE, MAX_SUITE, Unreadable, put, shown};

/// The most failures of one case that are read: a test of many expectations has some.
const MAX_FAILURES: usize = 50;

pub(super) fn read(text: &str, checkout: &str) -> Result<Report, Unreadable> {
    let mut reader = Reader { checkout, ..Reader::default() };
    walk(text, "JUnit XML", &["testsuites", "testsuite"], |piece| reader.take(&piece))?;
    Ok(Report { cases: reader.cases, issues: Vec::new() })
}

/// Where in the document the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// A suite, or what holds suites.
    Suite,
    /// A case.
    Case,
    /// `<failure>` or `<error>` of a case.
    Failure,
    /// Anything else, of which the text does not count.
    Other,
}

#[derive(Default)]
struct Reader<'a> {
    checkout: &'a str,
    inside: Vec<Inside>,
    suites: Vec<String>,
    cases: Vec<Case>,
    case: Open,
}

/// The case that is being read.
#[derive(Default)]
struct Open {
    suite: String,
    name: String,
    file: Option<String>,
    line: Option<u32>,
    failures: Vec<Failure>,
    skipped: bool,
}

#[derive(Default)]
struct Failure {
    message: String,
    text: String,
}

impl Reader<'_> {
    fn take(&mut self, piece: &Piece<'_>) -> Result<(), Unreadable> {
        match piece {
            Piece::Open(element) => {
                let inside = self.open(element);
                self.inside.push(inside);
            }
            Piece::Text(text) => {
                let failing = self.inside.last() == Some(&Inside::Failure);
                if let Some(failure) = self.case.failures.last_mut().filter(|_| failing)
                    && failure.text.len() < MAX_MESSAGE
                {
                    failure.text.push_str(beginning(text, MAX_MESSAGE));
                }
            }
            Piece::Close => self.close()?,
        }
        Ok(())
    }

    fn open(&mut self, element: &Element<'_>) -> Inside {
        let within = self.inside.last().copied().unwrap_or(Inside::Suite);
        match (within, element.name()) {
            (Inside::Suite, "testsuite" | "testsuites") => {
                let name = element.get("name").unwrap_or_default();
                self.suites.push(shown(&name, MAX_SUITE));
                Inside::Suite
            }
            (Inside::Suite, "testcase") => {
                self.case = self.begin(element);
                Inside::Case
            }
            (Inside::Case, "failure" | "error") => {
                if self.case.failures.len() >= MAX_FAILURES {
                    return Inside::Other;
                }
                self.case.failures.push(Failure::of(element.get("message").unwrap_or_default()));
                Inside::Failure
            }
            (Inside::Case, "skipped" | "disabled") => {
                self.case.skipped = true;
                Inside::Other
            }
            (Inside::Failure, _) => Inside::Failure,
            (Inside::Suite | Inside::Case | Inside::Other, _) => Inside::Other,
        }
    }

    fn begin(&self, element: &Element<'_>) -> Open {
        let class = element.get("classname").unwrap_or_default();
        // Node's runner calls every class `test`.
        let suite = if class.is_empty() || class == "test" {
            let names: Vec<&str> =
                self.suites.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
            names.join(" > ")
        } else {
            class
        };
        let status = element.get("status").unwrap_or_default();
        Open {
            suite,
            name: element.get("name").unwrap_or_default(),
            file: element.get("file"),
            line: element.get("line").and_then(|line| line.parse().ok()).filter(|line| *line > 0),
            failures: element.get("failure").map(Failure::of).into_iter().collect(),
            skipped: matches!(status.as_str(), "skipped" | "disabled" | "notrun"),
        }
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        match self.inside.pop() {
            Some(Inside::Case) => {
                let case = std::mem::take(&mut self.case).end(self.checkout);
                put(&mut self.cases, case)?;
            }
            Some(Inside::Suite) => {
                self.suites.pop();
            }
            Some(Inside::Failure | Inside::Other) | None => {}
        }
        Ok(())
    }
}

/// At most the first `max` bytes.
fn beginning(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

impl Open {
    fn end(self, checkout: &str) -> Case {
        let outcome = match (self.failures.is_empty(), self.skipped) {
            (false, _) => CaseOutcome::Failed,
            (true, true) => CaseOutcome::Skipped,
            (true, false) => CaseOutcome::Passed,
        };
        let mut messages: Vec<String> = Vec::new();
        for failure in &self.failures {
            let message = failure.whole();
            // An attribute may say again what an element says.
            if !messages.iter().any(|earlier| earlier.contains(message.trim())) {
                messages.retain(|earlier| !message.contains(earlier.trim()));
                messages.push(message);
            }
        }
        let message = messages.join("\n");
        let traced = place(&message, checkout);
        let (file, line) = match (traced, self.file) {
            (Some((file, line)), _) => (Some(file), Some(line)),
            (None, Some(file)) => (inside(&file, checkout), self.line),
            (None, None) => (None, None),
        };
        Case {
            suite: shown(&self.suite, MAX_SUITE),
            name: shown(&self.name, 500),
            outcome,
            message: shown(message.trim(), MAX_MESSAGE),
            file,
            line,
        }
    }
}

impl Failure {
    /// Of this message; more than is kept is not looked at.
    fn of(message: String) -> Self {
        let message =
            if message.len() > MAX_MESSAGE { shown(&message, MAX_MESSAGE) } else { message };
        Self { message, text: String::new() }
    }

    /// The message, and the text where it says more.
    fn whole(&self) -> String {
        let (message, text) = (self.message.trim(), self.text.trim());
        let begins = text.lines().next().unwrap_or_default();
        let says_it = begins.strip_suffix(message).is_some_and(|before| {
            // `AssertionError: message`
            before.is_empty() || before.strip_suffix(": ").is_some_and(|kind| !kind.contains(' '))
        });
        if message.is_empty() || says_it {
            text.to_owned()
        } else if text.is_empty() {
            message.to_owned()
        } else {
            format!("{message}\n{text}")
        }
    }
}

//! Test Anything Protocol 13 and 14: the plan first or last, subtests by indentation or in braces,
//! what went wrong as YAML or as indented text.

use toehold_core::model::{Case, CaseOutcome, Report};
use toehold_core::pipeline::place;

use super::{MAX_DEPTH, MAX_MESSAGE, MAX_SUITE, Unreadable, put, shown, yaml};

pub(super) fn read(text: &str, checkout: &str) -> Result<Report, Unreadable> {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.take(line)?;
    }
    reader.end(checkout)
}

#[derive(Default)]
struct Reader {
    found: Vec<Found>,
    /// How many tests the plan at the outermost level names.
    planned: Option<usize>,
    /// How many came there.
    seen: usize,
    bailed: bool,
    /// Names of subtests that are announced, by indentation.
    subtests: Vec<(usize, String)>,
    /// Parents whose `{` is open.
    braces: Vec<Brace>,
    /// Tests that lie deeper than where we are, and how many of them failed, by indentation.
    below: Vec<(usize, usize, usize)>,
    /// The indentation of the YAML block we are in.
    yaml: Option<usize>,
}

/// A test, and the lines below it.
struct Found {
    indent: usize,
    suite: String,
    name: String,
    outcome: CaseOutcome,
    below: String,
}

struct Brace {
    indent: usize,
    name: String,
    outcome: CaseOutcome,
    /// How many tests had been found before it.
    before: usize,
}

/// `ok 1 - name # SKIP why`.
struct Line {
    name: String,
    outcome: CaseOutcome,
    opens: bool,
}

impl Reader {
    fn take(&mut self, line: &str) -> Result<(), Unreadable> {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let content = content.trim_end();
        if let Some(block) = self.yaml {
            if content == "..." && indent <= block {
                self.yaml = None;
            } else {
                self.keep(line);
            }
            return Ok(());
        }
        // Text below a failed test is indented by two; subtests are by fours.
        let level = indent.is_multiple_of(4);
        if content == "---" && !self.found.is_empty() {
            self.yaml = Some(indent);
        } else if let Some(test) = Line::read(content).filter(|_| level) {
            return self.test(indent, test);
        } else if content == "}" && !self.braces.is_empty() {
            return self.close();
        } else if let Some(planned) = plan(content).filter(|_| level) {
            if indent == 0 {
                self.planned = Some(planned);
            }
        } else if let Some(name) = content.strip_prefix("# Subtest:") {
            self.subtests.retain(|(at, _)| *at < indent);
            self.subtests.push((indent, shown(name.trim(), MAX_SUITE)));
            return self.shallow();
        } else if let Some(why) = content.strip_prefix("Bail out!") {
            self.bailed = true;
            return self.push(indent, format!("bailed out:{why}"), CaseOutcome::Failed);
        } else if let Some(comment) = content.strip_prefix("#   ") {
            self.keep(comment);
        } else if indent > 0 || content.is_empty() {
            self.keep(line);
        }
        Ok(())
    }

    /// Each test is said with all that it lies in, so that must not be much.
    fn shallow(&self) -> Result<(), Unreadable> {
        let deep = self.braces.len().max(self.subtests.len()) > MAX_DEPTH;
        if deep { Err(Unreadable::TooDeep(MAX_DEPTH)) } else { Ok(()) }
    }

    fn keep(&mut self, line: &str) {
        if let Some(found) = self.found.last_mut()
            && found.outcome == CaseOutcome::Failed
            && found.below.len() < MAX_MESSAGE
        {
            found.below.push_str(line);
            found.below.push('\n');
        }
    }

    fn test(&mut self, indent: usize, line: Line) -> Result<(), Unreadable> {
        if indent == 0 {
            self.seen += 1;
        }
        if line.opens {
            let (name, outcome) = (shown(&line.name, MAX_SUITE), line.outcome);
            self.braces.push(Brace { indent, name, outcome, before: self.found.len() });
            return self.shallow();
        }
        let deeper = |(at, _, _): &&(usize, usize, usize)| *at > indent;
        let (children, failed) = self
            .below
            .iter()
            .filter(deeper)
            .fold((0, 0), |sum, (_, cases, failed)| (sum.0 + cases, sum.1 + failed));
        self.below.retain(|(at, _, _)| *at <= indent);
        // A parent is its children; it counts itself only where it failed and none of them did.
        if children == 0 || (line.outcome == CaseOutcome::Failed && failed == 0) {
            self.push(indent, line.name, line.outcome)?;
        } else {
            self.count(indent, children, failed);
        }
        self.subtests.retain(|(at, _)| *at < indent);
        Ok(())
    }

    fn push(
        &mut self,
        indent: usize,
        name: String,
        outcome: CaseOutcome,
    ) -> Result<(), Unreadable> {
        let suites: Vec<&str> = self
            .braces
            .iter()
            .map(|brace| brace.name.as_str())
            .chain(self.subtests.iter().filter(|(at, _)| *at < indent).map(|it| it.1.as_str()))
            .collect();
        let suite = shown(&suites.join(" > "), MAX_SUITE);
        put(&mut self.found, Found { indent, suite, name, outcome, below: String::new() })?;
        self.count(indent, 1, usize::from(outcome == CaseOutcome::Failed));
        Ok(())
    }

    fn count(&mut self, indent: usize, cases: usize, failed: usize) {
        match self.below.iter_mut().find(|(at, _, _)| *at == indent) {
            Some(level) => (level.1, level.2) = (level.1 + cases, level.2 + failed),
            None => self.below.push((indent, cases, failed)),
        }
    }

    fn close(&mut self) -> Result<(), Unreadable> {
        let Some(Brace { indent, name, outcome, before }) = self.braces.pop() else {
            return Ok(());
        };
        self.below.retain(|(at, _, _)| *at <= indent);
        let children = &self.found[before..];
        let some_failed = children.iter().any(|it| it.outcome == CaseOutcome::Failed);
        if children.is_empty() || (outcome == CaseOutcome::Failed && !some_failed) {
            self.push(indent, name, outcome)?;
            self.below.retain(|(at, _, _)| *at < indent);
        }
        Ok(())
    }

    fn end(self, checkout: &str) -> Result<Report, Unreadable> {
        if !self.braces.is_empty() || self.yaml.is_some() {
            return Err(Unreadable::CutOff);
        }
        match self.planned {
            Some(planned) if planned > self.seen && !self.bailed => {
                return Err(Unreadable::Short { planned, seen: self.seen });
            }
            None if !self.bailed => {
                let why = "it has no plan such as `1..3`: it was cut off, or is something else";
                return Err(Unreadable::Other { format: "TAP", why: why.to_owned() });
            }
            Some(_) | None => {}
        }
        let cases = self.found.into_iter().map(|found| found.case(checkout)).collect();
        Ok(Report { cases, issues: Vec::new() })
    }
}

impl Found {
    fn case(self, checkout: &str) -> Case {
        let message = yaml::value(&self.below, &["error", "message"])
            .unwrap_or_else(|| unindented(&self.below, self.indent + 2));
        // Where the test begins matters less than where its assertion stands.
        let is_location = |line: &&str| line.trim_start().starts_with("location:");
        let traces: Vec<&str> = self.below.lines().filter(|line| !is_location(line)).collect();
        let place = place(&traces.join("\n"), checkout).or_else(|| place(&self.below, checkout));
        let (file, line) = place.map_or((None, None), |(file, line)| (Some(file), Some(line)));
        Case {
            suite: self.suite,
            name: shown(&self.name, 500),
            outcome: self.outcome,
            message: shown(message.trim(), MAX_MESSAGE),
            file,
            line,
        }
    }
}

impl Line {
    fn read(content: &str) -> Option<Self> {
        let (passed, rest) = match content.strip_prefix("not ok") {
            Some(rest) => (false, rest),
            None => (true, content.strip_prefix("ok")?),
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return None;
        }
        let rest = rest.trim_start();
        let (rest, opens) = match rest.strip_suffix('{') {
            Some(rest) => (rest.trim_end(), true),
            None => (rest, false),
        };
        let (name, directive) = rest
            .rsplit_once(" #")
            .or_else(|| Some(("", rest.strip_prefix('#')?)))
            .unwrap_or((rest, ""));
        let directive = directive.trim().to_ascii_lowercase();
        let known = ["skip", "todo", "time="].iter().any(|word| directive.starts_with(word));
        let name = if known { name } else { rest };
        let unnumbered = name.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let name = unnumbered.strip_prefix("- ").unwrap_or(unnumbered).trim();
        let set_apart = directive.starts_with("skip") || directive.starts_with("todo");
        let outcome = match (set_apart, passed) {
            (true, _) => CaseOutcome::Skipped,
            (false, true) => CaseOutcome::Passed,
            (false, false) => CaseOutcome::Failed,
        };
        Some(Self { name: name.replace("\\#", "#"), outcome, opens })
    }
}

/// `1..3`, or `1..0 # SKIP why`.
fn plan(content: &str) -> Option<usize> {
    let (first, rest) = content.split_once("..")?;
    let last = rest.split([' ', '#']).next()?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    Some(last.saturating_add(1).saturating_sub(first))
}

fn unindented(text: &str, by: usize) -> String {
    let cut = |line: &str| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        line[indent.min(by)..].to_owned()
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}

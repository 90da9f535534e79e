//! A build as it goes: a head, a line a step with its time at the right, opened on failure.

use std::time::Duration;

use toehold_core::model::{Build, Failure, StepOutcome};

use super::paint;
use super::table::{safe, seen};
use super::time::took;

/// How wide the lines are, the time at the right end.
const WIDTH: usize = 76;

/// `shop  main@8c1f2ab  "Add token endpoint"      release #42`
pub fn head(build: &Build) -> String {
    let left = format!(
        "{}  {}@{}  \"{}\"",
        paint::strong(build.app.as_str()),
        build.branch,
        build.commit.short(),
        safe(&build.subject, 40)
    );
    right(&left, &format!("release {}", build.number))
}

/// `✓ test       jasmine 38 passed                   0.8s`
pub fn step(step: &StepOutcome) -> String {
    let mark = if step.passed { paint::good("✓") } else { paint::bad("✗") };
    let took = took(Duration::from_millis(step.took_ms));
    row(&mark, step.kind.as_str(), &safe(&step.summary, 48), &took)
}

/// One line: a mark, a word, what it says, how long it took.
pub fn row(mark: &str, word: &str, says: &str, took: &str) -> String {
    right(&format!("{mark} {word:<10} {says}"), &paint::faint(took))
}

fn right(left: &str, right: &str) -> String {
    let gap = WIDTH.saturating_sub(seen(left) + seen(right)).max(1);
    format!("{left}{}{right}", " ".repeat(gap))
}

/// What failed, where, the end of what was said, and a command to try.
pub fn failure(failure: &Failure) -> Vec<String> {
    let mut lines = vec![paint::bad(&safe(&failure.what, 200))];
    for case in &failure.cases {
        let place = place(case.file.as_deref(), case.line);
        lines.push(format!("  {} {}", paint::bad("✗"), safe(&full_name(case), 120)));
        for said in case.message.lines().take(6) {
            lines.push(format!("      {}", safe(said, 120)));
        }
        if !place.is_empty() {
            lines.push(format!("      at {place}"));
        }
    }
    for issue in &failure.issues {
        lines.push(format!(
            "  {} {}:{}:{}  {}  {}",
            paint::bad("✗"),
            safe(&issue.file, 80),
            issue.line,
            issue.column,
            safe(&issue.message, 100),
            paint::faint(&safe(&issue.rule, 40)),
        ));
    }
    if !failure.tail.is_empty() {
        lines.push(paint::faint(&format!("  the end of what {} said:", failure.step)));
        lines.extend(failure.tail.iter().map(|said| format!("  │ {}", safe(said, 160))));
    }
    if !failure.exit.is_empty() {
        lines.push(paint::faint(&format!("  {}", failure.exit)));
    }
    if !failure.hint.is_empty() {
        lines.push(format!("hint: {}", failure.hint));
    }
    lines
}

fn full_name(case: &toehold_core::model::Case) -> String {
    if case.suite.is_empty() { case.name.clone() } else { format!("{} {}", case.suite, case.name) }
}

fn place(file: Option<&str>, line: Option<u32>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{}:{line}", safe(file, 120)),
        (Some(file), None) => safe(file, 120),
        _ => String::new(),
    }
}

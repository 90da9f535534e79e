//! The lint step: its findings against those of the last good build.

use super::words::{hint, with_place};
use super::{Ended, Ran, Read, Verdict};
use crate::model::IssueSummary;
use crate::pipeline::issues::compare;

pub(super) fn judge(ran: &Ran<'_>, read: &Read) -> (Verdict, Option<IssueSummary>) {
    let issues = read.named.then(|| compare(ran.baseline, &read.report.issues));
    let (new, fixed, outstanding) = issues
        .as_ref()
        .map_or((0, 0, 0), |it| (it.new.len(), it.fixed.len(), it.outstanding.len()));
    let tool = &read.tool;
    let found = new + outstanding;
    let what = match (&ran.ended, &read.broken) {
        (Ended::Code(0), None) => None,
        (Ended::Code(0), Some((broken, _))) => {
            Some(format!("{broken}, though {tool} {}", ran.ended.happened()))
        }
        (_, Some((broken, _))) => {
            let what = format!("{tool} {}, and {broken}", ran.ended.happened());
            Some(with_place(what, ran))
        }
        (Ended::Code(code), None) if found > 0 && means_findings(tool, *code) => {
            let passes = new == 0 && ran.ratchet;
            (!passes).then(|| format!("{tool}: {}, {outstanding} outstanding", findings(new)))
        }
        // A linter that came to grief has not looked at everything, whatever it has found by then.
        (_, None) => Some(with_place(format!("{tool} {}", ran.ended.happened()), ran)),
    };
    let summary = match (&issues, &what) {
        (Some(_), _) if read.broken.is_none() => {
            format!("{tool} {new} new · {fixed} fixed · {outstanding} outstanding")
        }
        (_, None) => format!("{tool} passed"),
        (_, Some(_)) => format!("{tool} {}", ran.ended.words()),
    };
    let counting = match &issues {
        // Where outstanding findings may pass, only the new ones count.
        Some(issues) if ran.ratchet => issues.new.clone(),
        Some(issues) => issues.new.iter().chain(&issues.outstanding).cloned().collect(),
        None => Vec::new(),
    };
    let hint = match (&what, &read.broken) {
        (Some(_), Some((_, cure))) if ran.ended.passed() => cure.clone(),
        (Some(_), _) => hint(ran),
        (None, _) => String::new(),
    };
    (Verdict { summary, what, counting, hint, ..Verdict::default() }, issues)
}

/// Whether a linter that ends with this code says that it found something, and not that it came to
/// grief. Of a tool nobody knows here, what a shell keeps for itself (126 and more) and what
/// `timeout` says (124) are the latter.
fn means_findings(tool: &str, code: i32) -> bool {
    match tool {
        "eslint" | "ruff" | "rubocop" | "shellcheck" | "biome" | "standard" | "flake8"
        | "golangci-lint" => code == 1,
        "jshint" | "stylelint" => code == 2,
        "phpcs" => matches!(code, 1 | 2),
        // A sum of what kinds of findings there are; what it says of itself is 1 and 32.
        "pylint" => code & 0b10_0001 == 0,
        // Cargo's own code for what a compiler, or a linter in its place, did not let pass.
        "cargo" => code == 101,
        _ => (1..=123).contains(&code),
    }
}

fn findings(new: usize) -> String {
    match new {
        1 => "1 new finding".to_owned(),
        count => format!("{count} new findings"),
    }
}

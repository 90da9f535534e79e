//! The test step.

use super::words::{hint, located, with_place};
use super::{Ended, Ran, Read, Verdict};
use crate::model::CaseOutcome;
use crate::pipeline::counts::Counts;

pub(super) fn judge(ran: &Ran<'_>, read: &Read) -> Verdict {
    let counts = if read.named {
        Counts::of(&read.report)
    } else {
        Counts::printed(ran.tail).unwrap_or_default()
    };
    let what = what(ran, read, counts);
    let tool = &read.tool;
    let summary = match (counts.ran() + counts.skipped, &what) {
        (0, None) => format!("{tool} passed"),
        (0, Some(_)) => format!("{tool} {}", ran.ended.words()),
        (_, _) => format!("{tool} {counts}"),
    };
    let failed = read.report.cases.iter().filter(|case| case.outcome == CaseOutcome::Failed);
    let hint = match (&what, &read.broken) {
        (Some(_), Some((_, cure))) if ran.ended.passed() => cure.clone(),
        (Some(_), _) => hint(ran),
        (None, _) => String::new(),
    };
    let tests = (counts != Counts::default()).then(|| counts.kept());
    Verdict { summary, what, tests, cases: located(failed), hint, ..Verdict::default() }
}

/// Why the step failed; `None` where it passed.
fn what(ran: &Ran<'_>, read: &Read, counts: Counts) -> Option<String> {
    let tool = &read.tool;
    let some_failed = || format!("{tool}: {} of {} failed", counts.failed, counts.ran());
    let happened = ran.ended.happened();
    match (&ran.ended, &read.broken) {
        (Ended::Code(0), Some((broken, _))) => Some(format!("{broken}, though {tool} {happened}")),
        (Ended::Code(0), None) if counts.failed > 0 && read.named => {
            Some(format!("{}, though it {happened}", some_failed()))
        }
        (Ended::Code(0), None) => None,
        (Ended::Code(_), _) if counts.failed > 0 => Some(some_failed()),
        (_, Some((broken, _))) => Some(with_place(format!("{tool} {happened}, and {broken}"), ran)),
        (Ended::Code(_), None) if counts.ran() > 0 => {
            let what = format!("{tool} {happened}, though none of {} tests failed", counts.ran());
            Some(with_place(what, ran))
        }
        (_, None) => Some(with_place(format!("{tool} {happened}"), ran)),
    }
}

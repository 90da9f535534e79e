//! What a build says of itself, cut until it fits into a document: what explains a failure stays
//! longest.

use crate::model::{Build, BuildPhase, Case, CaseOutcome, Failure, Issue, StepOutcome};

use super::outcome::shortened;

/// How much of it is left. Each of these is tried in turn, from whole to barely.
const SIZES: [Size; 5] = [
    Size { listed: 50, words: 300, cases: 10, message: 1_500, lines: 30, line: 400 },
    Size { listed: 20, words: 150, cases: 10, message: 1_000, lines: 30, line: 300 },
    Size { listed: 10, words: 100, cases: 5, message: 500, lines: 30, line: 200 },
    Size { listed: 0, words: 0, cases: 5, message: 300, lines: 20, line: 200 },
    Size { listed: 0, words: 0, cases: 1, message: 100, lines: 5, line: 100 },
];

/// Numbers of things, and of characters of one of them.
#[derive(Clone, Copy)]
struct Size {
    /// Cases, and findings of each sort, of a step.
    listed: usize,
    words: usize,
    /// Cases and findings of a failure.
    cases: usize,
    message: usize,
    /// Lines of output.
    lines: usize,
    line: usize,
}

/// Cuts `build` until its document has at most `max_bytes`. Whether it fits then: what is never cut
/// is small unless somebody made it large.
pub fn fit(build: &mut Build, max_bytes: usize) -> bool {
    let fits = |build: &Build| {
        serde_json::to_string(build).is_ok_and(|document| document.len() <= max_bytes)
    };
    for size in SIZES {
        if fits(build) {
            return true;
        }
        for step in &mut build.steps {
            size.cut_step(step);
        }
        if let BuildPhase::Failed { failure } = &mut build.phase {
            size.cut_failure(failure);
        }
    }
    fits(build)
}

impl Size {
    fn cut_step(self, step: &mut StepOutcome) {
        // Those that failed stand first, and say more than those that passed.
        if step.report.cases.len() > self.listed {
            step.report.cases.retain(|it| it.outcome == CaseOutcome::Failed);
        }
        cut_cases(&mut step.report.cases, self.listed, self.words);
        cut_issues(&mut step.report.issues, self.listed, self.words);
        if let Some(summary) = &mut step.issues {
            for issues in [&mut summary.new, &mut summary.fixed, &mut summary.outstanding] {
                cut_issues(issues, self.listed, self.words);
            }
        }
    }

    fn cut_failure(self, failure: &mut Failure) {
        cut_cases(&mut failure.cases, self.cases, self.message);
        cut_issues(&mut failure.issues, self.cases, self.message);
        let from = failure.tail.len().saturating_sub(self.lines);
        failure.tail.drain(..from);
        for line in &mut failure.tail {
            *line = shortened(line, self.line);
        }
    }
}

fn cut_cases(cases: &mut Vec<Case>, most: usize, words: usize) {
    cases.truncate(most);
    for case in cases {
        for text in [&mut case.suite, &mut case.name, &mut case.message] {
            *text = shortened(text, words);
        }
        case.file = case.file.take().map(|file| shortened(&file, words));
    }
}

fn cut_issues(issues: &mut Vec<Issue>, most: usize, words: usize) {
    issues.truncate(most);
    for issue in issues {
        for text in [&mut issue.file, &mut issue.rule, &mut issue.message] {
            *text = shortened(text, words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Number, Report, Severity, StepKind, Track, Trigger};
    use crate::time::Timestamp;

    fn case(long: &str) -> Case {
        let (suite, name, message) = (long.to_owned(), long.to_owned(), long.repeat(5));
        Case { suite, name, outcome: CaseOutcome::Failed, message, file: None, line: None }
    }

    fn step(long: &str) -> StepOutcome {
        let issue = Issue {
            file: long.to_owned(),
            line: 1,
            column: 1,
            severity: Severity::Error,
            rule: long.to_owned(),
            message: long.to_owned(),
        };
        StepOutcome {
            kind: StepKind::Test,
            passed: false,
            summary: "jasmine: 50 of 50 failed".into(),
            took_ms: 1,
            tests: None,
            report: Report { cases: vec![case(long); 50], issues: vec![issue; 50] },
            issues: None,
        }
    }

    fn build(steps: Vec<StepOutcome>, failure: Failure) -> Build {
        Build {
            app: "shop".parse().expect("it is a name"),
            number: Number(1),
            commit: "0123456789012345678901234567890123456789".parse().expect("it is one"),
            branch: "main".parse().expect("it is one"),
            track: Track::Stable,
            subject: "Sell".into(),
            author: "Ada".into(),
            trigger: Trigger::Push,
            queued_at: Timestamp::from_ms(0),
            started_at: None,
            ended_at: None,
            phase: BuildPhase::Failed { failure },
            steps,
            cause: None,
        }
    }

    #[test]
    fn what_explains_a_failure_stays_longest() {
        // Letters of four bytes, and quotes that are escaped, take more than their number says.
        for letter in ["x", "\u{1f600}", "\""] {
            let long = letter.repeat(300);
            let failure = Failure {
                step: StepKind::Test,
                what: "jasmine: 50 of 50 failed".into(),
                exit: "exit code 1".into(),
                cases: vec![case(&long); 10],
                issues: Vec::new(),
                tail: vec![letter.repeat(2_000); 30],
                hint: String::new(),
            };
            let mut build = build(vec![step(&long), step(&long)], failure);
            assert!(fit(&mut build, 60_000));
            let document = serde_json::to_string(&build).expect("it is a document");
            assert!(document.len() <= 60_000, "{}", document.len());
            let BuildPhase::Failed { failure } = build.phase else { panic!("it failed") };
            assert!(failure.cases.len() >= 5 && failure.tail.len() >= 20, "{failure:?}");
        }
    }

    #[test]
    fn what_fits_is_left_whole() {
        let failure = Failure {
            step: StepKind::Test,
            what: "jasmine: 1 of 1 failed".into(),
            exit: "exit code 1".into(),
            cases: vec![case("Basket")],
            issues: Vec::new(),
            tail: vec!["x".repeat(2_000)],
            hint: String::new(),
        };
        let whole = build(vec![step("Basket")], failure);
        let mut cut = whole.clone();
        assert!(fit(&mut cut, 60_000));
        assert_eq!(cut, whole);
    }
}

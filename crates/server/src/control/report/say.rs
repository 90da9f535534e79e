//! What a forge is told, worked out from what is so.

use std::collections::BTreeMap;

use toehold_core::model::{
    App, Build, BuildPhase, Event, EventKind, Issue, Number, Severity, StepKind, Subject, Track,
};

use crate::forge::{Context, Stage, State, Status};

/// What is told of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) number: Number,
    pub(super) status: Status,
    pub(super) deployment: Option<(Track, Stage)>,
    pub(super) text: String,
}

/// The statuses that are other than they were.
pub(super) fn changes(before: Option<&Build>, after: &Build) -> Vec<Status> {
    let was = before.map(statuses).unwrap_or_default();
    let is = statuses(after);
    let gone =
        was.values().filter(|it| it.state == State::Pending && !is.contains_key(&it.context));
    // What was begun and never ended.
    let stopped = gone.map(|it| status(it.context, State::Error, "it was stopped"));
    let new = is.values().filter(|it| was.get(&it.context) != Some(it)).cloned();
    new.chain(stopped).collect()
}

fn status(context: Context, state: State, text: impl Into<String>) -> Status {
    Status { context, state, text: text.into() }
}

/// How a build's commit is, as far as is known.
fn statuses(build: &Build) -> BTreeMap<Context, Status> {
    let all = std::iter::once(test(build)).chain(lint(build));
    all.map(|status| (status.context, status)).collect()
}

/// How a step ended, where it has.
fn ended(build: &Build, kind: StepKind) -> Option<(State, String)> {
    let step = build.steps.iter().find(|step| step.kind == kind)?;
    let state = if step.passed { State::Success } else { State::Failure };
    Some((state, step.summary.clone()))
}

/// All without which there is no release, but for the style check.
fn test(build: &Build) -> Status {
    let tested = ended(build, StepKind::Test);
    let (state, text) = match (&build.phase, tested) {
        (BuildPhase::Failed { failure }, _) if failure.step != StepKind::Lint => {
            let ours = failure.step == StepKind::Fetch;
            let state = if ours { State::Error } else { State::Failure };
            (state, format!("{}: {}", failure.step, failure.what))
        }
        (_, Some((State::Success, text))) if text.is_empty() => (State::Success, "passed".into()),
        (_, Some(tested)) => tested,
        (BuildPhase::Queued, None) => (State::Pending, format!("build {} waits", build.number)),
        (BuildPhase::Running { .. }, None) => {
            (State::Pending, format!("build {} runs", build.number))
        }
        (BuildPhase::Passed { .. }, None) => (State::Success, "there is nothing to test".into()),
        (BuildPhase::Failed { .. }, None) => (State::Error, "the tests were not run".into()),
        (BuildPhase::Superseded { by }, None) => {
            (State::Error, format!("build {} gave way to {by}", build.number))
        }
        (BuildPhase::Cancelled { why }, None) => {
            (State::Error, format!("build {} was cancelled: {why}", build.number))
        }
    };
    status(Context::Test, state, text)
}

/// The style check, once it has begun.
fn lint(build: &Build) -> Option<Status> {
    if let BuildPhase::Failed { failure } = &build.phase
        && failure.step == StepKind::Lint
    {
        return Some(status(Context::Lint, State::Failure, failure.what.clone()));
    }
    if let Some((state, text)) = ended(build, StepKind::Lint) {
        return Some(status(Context::Lint, state, text));
    }
    let runs = matches!(&build.phase, BuildPhase::Running { step: StepKind::Lint });
    runs.then(|| status(Context::Lint, State::Pending, "the style check runs"))
}

/// The findings of a build's document.
pub(super) fn issues(build: &Build) -> Vec<Issue> {
    let step = build.steps.iter().find(|step| step.kind == StepKind::Lint);
    match (step, &build.phase) {
        (Some(step), _) if !step.report.issues.is_empty() => step.report.issues.clone(),
        (_, BuildPhase::Failed { failure }) => failure.issues.clone(),
        _ => Vec::new(),
    }
}

/// GitHub's word for how bad a finding is.
pub(super) const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "notice",
        Severity::Warning => "warning",
        Severity::Error => "failure",
    }
}

/// What is told of a decision's events about an app that was so `before`.
pub(super) fn deploys(before: &App, events: &[Event]) -> Vec<Told> {
    let mut all = Vec::new();
    for event in events {
        let (Subject::Release(number) | Subject::Rollout(number)) = &event.subject else {
            continue;
        };
        let Some((state, deployment)) = meaning(event.kind) else { continue };
        if event.kind == EventKind::DeployStarted {
            all.extend(given_up(before, *number));
        }
        let (text, status) =
            (event.text.clone(), status(Context::Deploy, state, event.text.clone()));
        all.push(Told { number: *number, status, deployment, text });
    }
    all
}

/// What an event means to somebody who looks at the commit.
const fn meaning(kind: EventKind) -> Option<(State, Option<(Track, Stage)>)> {
    use EventKind as K;
    let told = match kind {
        K::DeployStarted => (State::Pending, Some((Track::Stable, Stage::InProgress))),
        K::DeployDone | K::RolloutPromoted => {
            (State::Success, Some((Track::Stable, Stage::Success)))
        }
        K::DeployFailed => (State::Failure, Some((Track::Stable, Stage::Failure))),
        K::RolloutStarted | K::RolloutRetried => {
            (State::Pending, Some((Track::Canary, Stage::InProgress)))
        }
        K::RolloutSplit => (State::Pending, Some((Track::Canary, Stage::Success))),
        K::RolloutHeld | K::RolloutAborted => {
            (State::Failure, Some((Track::Canary, Stage::Failure)))
        }
        // Of a release: it is there and is not deployed.
        K::PushIgnored => (State::Error, None),
        _ => return None,
    };
    Some(told)
}

/// A release that was to serve and had not come to it when another took its place.
fn given_up(before: &App, by: Number) -> Option<Told> {
    let number = before.stable.as_ref()?.release;
    if number == by || before.serving() == Some(number) {
        return None;
    }
    let text = format!("release {number} gave way to {by} before it served");
    let status = status(Context::Deploy, State::Error, text.clone());
    Some(Told { number, status, deployment: Some((Track::Stable, Stage::Failure)), text })
}

#[cfg(test)]
mod tests {
    use toehold_core::model::{Failure, Report, StepOutcome, Trigger};
    use toehold_core::time::Timestamp;

    use super::*;

    fn build(phase: BuildPhase, steps: &[(StepKind, bool)]) -> Build {
        let steps = steps.iter().map(|(kind, passed)| StepOutcome {
            kind: *kind,
            passed: *passed,
            summary: "38 cases".into(),
            took_ms: 1,
            tests: None,
            report: Report::default(),
            issues: None,
        });
        Build {
            app: "shop".parse().expect("a name"),
            number: Number(42),
            commit: "a".repeat(40).parse().expect("a commit"),
            branch: "main".parse().expect("a branch"),
            track: Track::Stable,
            subject: String::new(),
            author: String::new(),
            trigger: Trigger::Push,
            queued_at: Timestamp::default(),
            started_at: None,
            ended_at: None,
            phase,
            steps: steps.collect(),
            cause: None,
        }
    }

    fn failed(step: StepKind) -> BuildPhase {
        BuildPhase::Failed {
            failure: Failure {
                step,
                what: "no".into(),
                exit: String::new(),
                cases: Vec::new(),
                issues: Vec::new(),
                tail: Vec::new(),
                hint: String::new(),
            },
        }
    }

    fn said(before: Option<&Build>, after: &Build) -> Vec<String> {
        let words = |it: Status| format!("{} {:?}: {}", it.context.as_str(), it.state, it.text);
        changes(before, after).into_iter().map(words).collect()
    }

    #[test]
    fn a_build_is_told_of_as_it_goes_and_nothing_twice() {
        let running = |step| BuildPhase::Running { step };
        let queued = build(BuildPhase::Queued, &[]);
        let fetches = build(running(StepKind::Fetch), &[]);
        let installs = build(running(StepKind::Install), &[(StepKind::Fetch, true)]);
        let tested = build(running(StepKind::Lint), &[(StepKind::Test, true)]);
        let linted =
            build(running(StepKind::Artifact), &[(StepKind::Test, true), (StepKind::Lint, true)]);
        assert_eq!(said(None, &queued), ["test Pending: build #42 waits"]);
        assert_eq!(said(Some(&queued), &fetches), ["test Pending: build #42 runs"]);
        assert!(said(Some(&fetches), &installs).is_empty());
        let both = ["test Success: 38 cases", "lint Pending: the style check runs"];
        assert_eq!(said(Some(&installs), &tested), both);
        assert_eq!(said(Some(&tested), &linted), ["lint Success: 38 cases"]);
    }

    #[test]
    fn a_failure_is_told_of_where_it_belongs() {
        let before = build(BuildPhase::Running { step: StepKind::Lint }, &[(StepKind::Test, true)]);
        let lint =
            build(failed(StepKind::Lint), &[(StepKind::Test, true), (StepKind::Lint, false)]);
        assert_eq!(said(Some(&before), &lint), ["lint Failure: no"]);
        let install = build(failed(StepKind::Install), &[]);
        assert_eq!(said(None, &install), ["test Failure: install: no"]);
        let fetch = build(failed(StepKind::Fetch), &[]);
        assert_eq!(said(None, &fetch), ["test Error: fetch: no"], "that is not the commit's fault");
    }

    #[test]
    fn what_was_begun_does_not_stay_pending() {
        let runs = build(BuildPhase::Running { step: StepKind::Lint }, &[]);
        let gone = build(BuildPhase::Superseded { by: Number(43) }, &[]);
        let words = ["test Error: build #42 gave way to #43", "lint Error: it was stopped"];
        assert_eq!(said(Some(&runs), &gone), words);
    }

    #[test]
    fn what_becomes_of_a_release_is_told() {
        let app: App = App::new("shop".parse().expect("a name"), Timestamp::default());
        let event = |kind, subject| Event {
            rev: 0,
            at: Timestamp::default(),
            app: None,
            kind,
            subject,
            cause: None,
            actor: "toehold".into(),
            text: "so it is".into(),
            facts: serde_json::Value::Null,
        };
        let release = || Subject::Release(Number(42));
        let all = [
            event(EventKind::DeployStarted, release()),
            event(EventKind::InstanceLaunched, release()),
            event(EventKind::DeployDone, release()),
            event(EventKind::PushIgnored, Subject::App),
            event(EventKind::RolloutHeld, Subject::Rollout(Number(43))),
        ];
        let told = deploys(&app, &all);
        let states: Vec<_> = told.iter().map(|it| (it.number.0, it.status.state)).collect();
        assert_eq!(states, [(42, State::Pending), (42, State::Success), (43, State::Failure)]);
        assert_eq!(told[1].deployment, Some((Track::Stable, Stage::Success)));
    }
}

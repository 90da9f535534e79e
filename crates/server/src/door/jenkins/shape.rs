//! Apps and builds in Jenkins' words.

use serde_json::{Value, json};
use toehold_core::model::{
    AppName, Build, BuildPhase, Case, CaseOutcome, StepKind, StepOutcome, TestCounts, Trigger,
};
use toehold_core::time::Timestamp;

/// What Jenkins calls a job that is no pipeline.
pub(super) const PROJECT: &str = "hudson.model.FreeStyleProject";

/// An app and its builds, newest first.
pub(super) struct Job<'a> {
    pub(super) app: &'a AppName,
    /// Ends with a slash.
    pub(super) url: &'a str,
    pub(super) builds: &'a [Build],
}

impl Job<'_> {
    pub(super) fn value(&self) -> Value {
        let builds: Vec<Value> = self.builds.iter().map(|it| self.reference(it)).collect();
        let first =
            |name: &str| find(self.builds, name).map_or(Value::Null, |build| self.reference(build));
        let next = self.builds.first().map_or(1, |newest| newest.number.0 + 1);
        let waiting = self.builds.iter().find(|it| it.phase == BuildPhase::Queued);
        json!({
            "_class": PROJECT,
            "name": self.app,
            "fullName": self.app,
            "displayName": self.app,
            "fullDisplayName": self.app,
            "description": null,
            "url": self.url,
            "buildable": true,
            "color": color(self.builds),
            "builds": builds,
            "allBuilds": builds,
            "firstBuild": self.builds.last().map(|it| self.reference(it)),
            "lastBuild": first("lastBuild"),
            "lastCompletedBuild": first("lastCompletedBuild"),
            "lastFailedBuild": first("lastFailedBuild"),
            "lastStableBuild": first("lastStableBuild"),
            "lastSuccessfulBuild": first("lastSuccessfulBuild"),
            "lastUnstableBuild": null,
            "lastUnsuccessfulBuild": first("lastUnsuccessfulBuild"),
            "nextBuildNumber": next,
            "inQueue": waiting.is_some(),
            "queueItem": waiting.and_then(|it| it.cause).map(|id| json!({ "id": id })),
            "concurrentBuild": false,
            "disabled": false,
            "healthReport": [],
            "property": [parameters()],
        })
    }

    fn reference(&self, build: &Build) -> Value {
        let number = build.number.0;
        json!({
            "_class": "hudson.model.FreeStyleBuild",
            "number": number,
            "url": format!("{}{number}/", self.url),
        })
    }
}

/// What a build may be asked for with.
fn parameters() -> Value {
    let text = |name: &str, what: &str| {
        json!({
            "_class": "hudson.model.StringParameterDefinition",
            "name": name, "description": what, "type": "StringParameterDefinition",
            "defaultParameterValue": { "value": "" },
        })
    };
    json!({
        "_class": "hudson.model.ParametersDefinitionProperty",
        "parameterDefinitions": [
            text("track", "stable or canary; by the branch where it is not said"),
            text("branch", "the branch whose newest commit is built"),
            text("commit", "the commit that is built"),
        ],
    })
}

/// The build of this name: its number, or `lastBuild` and the like. `builds` are newest first.
pub(super) fn find<'a>(builds: &'a [Build], name: &str) -> Option<&'a Build> {
    let passed = |it: &&Build| matches!(it.phase, BuildPhase::Passed { .. });
    let failed = |it: &&Build| matches!(it.phase, BuildPhase::Failed { .. });
    let ended = |it: &&Build| it.phase.has_ended();
    let mut builds = builds.iter();
    match name {
        "lastBuild" => builds.next(),
        "lastCompletedBuild" => builds.find(ended),
        "lastSuccessfulBuild" | "lastStableBuild" => builds.find(passed),
        "lastFailedBuild" => builds.find(failed),
        "lastUnsuccessfulBuild" => builds.find(|it| ended(it) && !passed(it)),
        number => {
            let number: u64 = number.parse().ok()?;
            builds.find(|it| it.number.0 == number)
        }
    }
}

/// The ball beside a job.
pub(super) fn color(builds: &[Build]) -> String {
    let ended = builds.iter().find(|it| it.phase.has_ended());
    let color = match ended.and_then(|it| result(&it.phase)) {
        None | Some("NOT_BUILT") => "notbuilt",
        Some("SUCCESS") => "blue",
        Some("ABORTED") => "aborted",
        Some(_) => "red",
    };
    let runs = builds.first().is_some_and(|it| matches!(it.phase, BuildPhase::Running { .. }));
    format!("{color}{}", if runs { "_anime" } else { "" })
}

/// How a build ended; `None` while it goes on.
pub(super) const fn result(phase: &BuildPhase) -> Option<&'static str> {
    match phase {
        BuildPhase::Queued | BuildPhase::Running { .. } => None,
        BuildPhase::Passed { .. } => Some("SUCCESS"),
        BuildPhase::Failed { .. } => Some("FAILURE"),
        BuildPhase::Superseded { .. } => Some("NOT_BUILT"),
        BuildPhase::Cancelled { .. } => Some("ABORTED"),
    }
}

/// A build. `job` is the URL of its job, `now` what a build that runs is measured by.
pub(super) fn build(build: &Build, job: &str, now: Timestamp) -> Value {
    let (app, number) = (&build.app, build.number.0);
    let began = build.started_at.unwrap_or(build.queued_at);
    let ended = build.ended_at.map(|ended| ended.since(began).as_millis());
    let so_far = now.since(began).as_millis();
    let by = match &build.trigger {
        Trigger::Push => "git push".to_owned(),
        Trigger::Webhook { forge, .. } | Trigger::Poll { forge } => forge.clone(),
        Trigger::Asked { by, .. } => by.clone(),
    };
    let revision = json!({
        "SHA1": build.commit,
        "branch": [{ "SHA1": build.commit, "name": format!("refs/remotes/origin/{}", build.branch) }],
    });
    let mut actions = vec![
        json!({
            "_class": "hudson.model.CauseAction",
            "causes": [{ "shortDescription": format!("Started by {by}"), "userName": by }],
        }),
        json!({
            "_class": "hudson.model.ParametersAction",
            "parameters": [
                { "name": "track", "value": build.track },
                { "name": "branch", "value": build.branch },
                { "name": "commit", "value": build.commit },
            ],
        }),
        json!({ "_class": "hudson.plugins.git.util.BuildData", "lastBuiltRevision": revision }),
    ];
    if let Some((counts, _)) = tests(build) {
        actions.push(json!({
            "_class": "hudson.tasks.junit.TestResultAction",
            "failCount": counts.failed,
            "skipCount": counts.skipped,
            "totalCount": counts.passed + counts.failed + counts.skipped,
            "urlName": "testReport",
        }));
    }
    let author = build.author.split(" <").next().unwrap_or_default();
    json!({
        "_class": "hudson.model.FreeStyleBuild",
        "id": number.to_string(),
        "number": number,
        "displayName": build.number.to_string(),
        "fullDisplayName": format!("{app} {}", build.number),
        "url": format!("{job}{number}/"),
        "queueId": build.cause,
        "building": !build.phase.has_ended(),
        "inProgress": !build.phase.has_ended(),
        "result": result(&build.phase),
        "description": why(&build.phase),
        "timestamp": began.as_ms(),
        // Jenkins says 0 of a build that goes on.
        "duration": ended.unwrap_or(0),
        "estimatedDuration": ended.unwrap_or(so_far),
        "actions": actions,
        "artifacts": [],
        "builtOn": "",
        "keepLog": false,
        "changeSet": {
            "_class": "hudson.plugins.git.GitChangeSetList",
            "kind": "git",
            "items": [{
                "commitId": build.commit, "msg": build.subject, "comment": build.subject,
                "author": { "fullName": author },
            }],
        },
        "culprits": [],
    })
}

/// Why a build ended as it did, where it did not pass.
fn why(phase: &BuildPhase) -> Option<String> {
    match phase {
        BuildPhase::Queued | BuildPhase::Running { .. } | BuildPhase::Passed { .. } => None,
        BuildPhase::Failed { failure } => Some(format!("{}: {}", failure.step, failure.what)),
        BuildPhase::Superseded { by } => Some(format!("it gave way to {by}")),
        BuildPhase::Cancelled { why } => Some(why.clone()),
    }
}

/// What a queue says of a build: it waits, was taken up, or never will be.
pub(super) fn queue_item(build: &Build, id: u64, root: &str, job: &str) -> Value {
    let number = build.number.0;
    let waits = build.phase == BuildPhase::Queued;
    // Who waits for the number of a build that never began would wait for ever without one.
    let executable = (!waits).then(|| {
        json!({
            "_class": "hudson.model.FreeStyleBuild",
            "number": number,
            "url": format!("{job}{number}/"),
        })
    });
    let gone = build.started_at.is_none() && build.phase.has_ended();
    json!({
        "_class": if waits { "hudson.model.Queue$BuildableItem" } else { "hudson.model.Queue$LeftItem" },
        "id": id,
        "url": format!("{root}queue/item/{id}/"),
        "task": { "_class": PROJECT, "name": build.app, "url": job },
        "params": "",
        "why": waits.then_some("it waits for the builder"),
        "blocked": false,
        "buildable": waits,
        "stuck": false,
        "cancelled": gone,
        "inQueueSince": build.queued_at.as_ms(),
        "executable": executable,
    })
}

/// How many tests there were, and those whose cases are kept; `None` where there was no test step
/// that says.
pub(super) fn tests(build: &Build) -> Option<(TestCounts, &StepOutcome)> {
    let step = build.steps.iter().find(|step| step.kind == StepKind::Test)?;
    Some((step.tests?, step))
}

/// The report of the tests. It counts all of them, and shows those that are kept: failed ones
/// first.
pub(super) fn test_report(counts: TestCounts, step: &StepOutcome) -> Value {
    let mut suites: Vec<(&str, Vec<Value>)> = Vec::new();
    for case in &step.report.cases {
        let value = test_case(case);
        match suites.iter_mut().find(|(name, _)| *name == case.suite) {
            Some((_, cases)) => cases.push(value),
            None => suites.push((&case.suite, vec![value])),
        }
    }
    let suites: Vec<Value> = suites
        .into_iter()
        .map(|(name, cases)| json!({ "name": name, "duration": 0.0, "cases": cases }))
        .collect();
    json!({
        "_class": "hudson.tasks.junit.TestResult",
        "duration": u32::try_from(step.took_ms).map_or(0.0, |ms| f64::from(ms) / 1000.0),
        "empty": counts == TestCounts::default(),
        "passCount": counts.passed,
        "failCount": counts.failed,
        "skipCount": counts.skipped,
        "suites": suites,
    })
}

fn test_case(case: &Case) -> Value {
    let (status, is_skipped) = match case.outcome {
        CaseOutcome::Passed => ("PASSED", false),
        CaseOutcome::Failed => ("FAILED", false),
        CaseOutcome::Skipped => ("SKIPPED", true),
    };
    let details = (case.outcome == CaseOutcome::Failed).then_some(&case.message);
    let place = case.file.as_ref().map(|file| match case.line {
        Some(line) => format!("{file}:{line}"),
        None => file.clone(),
    });
    json!({
        "className": case.suite,
        "name": case.name,
        "status": status,
        "skipped": is_skipped,
        "errorDetails": details,
        "errorStackTrace": details.and(place),
        "duration": 0.0,
        "age": 0,
        "failedSince": 0,
    })
}

//! The sentences about builds.

use toehold_core::model::{
    Build, Event, EventKind, Failure, Number, Release, StepOutcome, Subject,
};
use toehold_core::time::Timestamp;
use toehold_core::wish::Refusal;

fn event(
    build: &Build,
    kind: EventKind,
    at: Timestamp,
    text: String,
    facts: serde_json::Value,
) -> Event {
    Event {
        rev: 0,
        at,
        app: Some(build.app.clone()),
        kind,
        subject: Subject::Release(build.number),
        cause: build.cause,
        actor: "toehold".into(),
        text,
        facts,
    }
}

pub(super) fn started(build: &Build, at: Timestamp) -> Event {
    let waited_ms = at.since(build.queued_at).as_millis();
    let text = format!("build {} of {} began", build.number, build.commit.short());
    event(build, EventKind::BuildStarted, at, text, serde_json::json!({ "waited_ms": waited_ms }))
}

pub(super) fn step(build: &Build, step: &StepOutcome, at: Timestamp) -> Event {
    let mark = if step.passed { "passed" } else { "did not pass" };
    let text = format!("{} {mark}: {}", step.kind, step.summary);
    let facts = serde_json::json!({
        "step": step.kind, "passed": step.passed, "summary": step.summary, "took_ms": step.took_ms,
    });
    event(build, EventKind::StepEnded, at, text, facts)
}

pub(super) fn failed(build: &Build, failure: &Failure, at: Timestamp) -> Event {
    let text = format!("build {} failed in {}: {}", build.number, failure.step, failure.what);
    let facts =
        serde_json::json!({ "step": failure.step, "what": failure.what, "exit": failure.exit });
    event(build, EventKind::BuildFailed, at, text, facts)
}

pub(super) fn fixed(build: &Build, broken: Number, at: Timestamp) -> Event {
    let text = format!("build {} passes where {broken} had failed", build.number);
    event(build, EventKind::BuildFixed, at, text, serde_json::json!({ "broken": broken }))
}

pub(super) fn superseded(build: &Build, by: Number, at: Timestamp) -> Event {
    let text = format!("build {} gave way to the newer push {by}", build.number);
    event(build, EventKind::BuildSuperseded, at, text, serde_json::json!({ "by": by }))
}

pub(super) fn cancelled(build: &Build, at: Timestamp) -> Event {
    let why = match &build.phase {
        toehold_core::model::BuildPhase::Cancelled { why } => why.as_str(),
        _ => "it was stopped",
    };
    let text = format!("build {} was cancelled: {why}", build.number);
    event(build, EventKind::BuildCancelled, at, text, serde_json::json!({ "why": why }))
}

pub(super) fn release(build: &Build, release: &Release, at: Timestamp) -> Event {
    let took_ms = build.started_at.map_or(0, |began| at.since(began).as_millis());
    let text = format!("release {} was made of {}", release.number, build.commit.short());
    let steps: Vec<_> = build
        .steps
        .iter()
        .map(|step| serde_json::json!({ "step": step.kind, "summary": step.summary, "took_ms": step.took_ms }))
        .collect();
    let facts = serde_json::json!({
        "artifact": release.artifact, "took_ms": took_ms, "steps": steps,
    });
    event(build, EventKind::ReleaseCreated, at, text, facts)
}

/// A release that is there and not deployed.
pub(super) fn held_back(build: &Build, refusal: &Refusal, at: Timestamp) -> Event {
    let text = format!("release {} is not deployed: {refusal}", build.number);
    event(build, EventKind::PushIgnored, at, text, serde_json::Value::Null)
}

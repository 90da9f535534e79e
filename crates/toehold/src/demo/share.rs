//! Where the time went between a push and its first request: what the app's own steps and its own
//! start took, and what Toehold took beside them.

use serde_json::json;
use toehold_core::model::{Build, Event, EventKind, StepKind, StepOutcome};
use toehold_core::time::Timestamp;

use super::Teller;
use super::stage::Stage;
use crate::report::{Failure, Outcome};

/// All in milliseconds.
pub struct Share {
    all: u64,
    /// The app's own: install, test, lint.
    steps: u64,
    /// The app's own: from its process's start to its first good answer.
    start: u64,
    /// The clean checkout.
    fetch: u64,
    /// Packing.
    artifact: u64,
    /// From the end of the build to the app's process: deciding, unpacking.
    place: u64,
    /// From the first good answer to the proxy's word that it takes requests.
    route: u64,
}

impl Share {
    /// Of the first push, which has just gone live.
    pub async fn of_the_first_push(stage: &Stage) -> Result<Self, Failure> {
        let no_trace = || Failure::no("the first push left no trace in the events");
        let build: Build = stage.client.get("/api/v1/apps/tokens/builds/1").await?;
        let events = stage.events(0).await?;
        let view = stage.view().await?;
        let first = view.instances.iter().find_map(|it| it.status.as_ref()).ok_or_else(no_trace)?;
        let pushed = at(&events, EventKind::PushReceived).ok_or_else(no_trace)?;
        let built = build.ended_at.ok_or_else(no_trace)?;
        let started = first.started_at.ok_or_else(no_trace)?;
        let healthy = first.healthy_since.ok_or_else(no_trace)?;
        let done = at(&events, EventKind::DeployDone).ok_or_else(no_trace)?;
        Ok(Self {
            all: between(pushed, done),
            steps: took(&build.steps, &[StepKind::Install, StepKind::Test, StepKind::Lint]),
            start: between(started, healthy),
            fetch: took(&build.steps, &[StepKind::Fetch]),
            artifact: took(&build.steps, &[StepKind::Artifact]),
            place: between(built, started),
            route: between(healthy, done),
        })
    }

    const fn own(&self) -> u64 {
        self.all.saturating_sub(self.steps).saturating_sub(self.start)
    }

    /// Tells it, with its parts.
    pub fn tell(&self, teller: &Teller) -> Outcome {
        let Self { all, steps, start, fetch, artifact, place, route } = self;
        let own = self.own();
        let named = fetch + artifact + place + route;
        let between_steps = own.saturating_sub(named);
        teller.figure(
            "own_share_ms",
            &json!({
                "all": all, "steps": steps, "start": start, "own": own, "fetch": fetch,
                "artifact": artifact, "place": place, "route": route, "between": between_steps,
            }),
            &format!("push to first request     {all} ms: the app's steps {steps}, its start {start}, our own {own} (goal 1000)"),
        )?;
        teller.shows(&format!(
            "  our own is              checkout {fetch}, artifact {artifact}, placing {place}, routing {route}, between steps {between_steps}"
        ))
    }
}

fn at(events: &[Event], kind: EventKind) -> Option<Timestamp> {
    events.iter().find(|event| event.kind == kind).map(|event| event.at)
}

fn took(steps: &[StepOutcome], kinds: &[StepKind]) -> u64 {
    steps.iter().filter(|step| kinds.contains(&step.kind)).map(|step| step.took_ms).sum()
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

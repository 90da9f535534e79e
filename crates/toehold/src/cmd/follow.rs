//! Stays with a build until what it made serves, or the reason why not is known.

use std::time::Duration;

use serde_json::json;
use toehold_core::model::{
    AppName, Build, BuildPhase, Event, EventKind, Number, RolloutPhase, Subject, Track,
};
use toehold_core::wire::api::AppView;
use toehold_server::control::LogChunk;

use crate::client::Client;
use crate::report::{Failure, Outcome};
use crate::show::{self, paint, table::safe, time::took};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// How it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// A line of JSON an event.
    pub json: bool,
    /// What the steps say, too.
    pub verbose: bool,
}

/// Follows a build of an app to its end. ^C ends the watching, not the build.
pub async fn build(client: &Client, app: &AppName, number: Number, style: Style) -> Outcome {
    let mut watch = Watch { client, app, number, style, steps: 0, log_from: 0 };
    let build = watch.steps_to_the_end().await?;
    match &build.phase {
        BuildPhase::Passed { .. } => watch.deployment(&build).await,
        BuildPhase::Failed { failure } => {
            if !style.json {
                for line in show::build::failure(failure) {
                    show::line(&line)?;
                }
            }
            Err(Failure::no(format!("release {number} is not deployed: {}", failure.step))
                .hint(format!("the whole output: toehold logs {}", number.0)))
        }
        BuildPhase::Superseded { by } => {
            Err(Failure::no(format!("build {number} gave way to the newer push {by}")))
        }
        BuildPhase::Cancelled { why } => {
            Err(Failure::no(format!("build {number} was cancelled: {why}")))
        }
        BuildPhase::Queued | BuildPhase::Running { .. } => Ok(()),
    }
}

/// Stays until what is wished of an app is so: for a release that was built before.
pub async fn serving(client: &Client, app: &AppName) -> Outcome {
    let path = format!("/api/v1/apps/{app}");
    let first: AppView = client.get(&path).await?;
    loop {
        let view: AppView = client.get(&path).await?;
        if view.wanted != first.wanted {
            let release = first.wanted.map_or_else(String::new, |number| number.0.to_string());
            return Err(Failure::no(format!(
                "release {release} cannot serve; the one before goes on"
            ))
            .hint(format!("toehold why {release}")));
        }
        let phase = view.rollout.as_ref().map(|rollout| &rollout.phase);
        match phase {
            Some(RolloutPhase::Starting | RolloutPhase::Promoting) => {}
            Some(RolloutPhase::Aborted { why }) if first.rollout != view.rollout => {
                return Err(Failure::no(format!("the canary was given up: {}", safe(why, 200)))
                    .hint("toehold why rollout"));
            }
            _ if view.serving == view.wanted => return Ok(()),
            _ => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

struct Watch<'a> {
    client: &'a Client,
    app: &'a AppName,
    number: Number,
    style: Style,
    steps: usize,
    log_from: u64,
}

impl Watch<'_> {
    async fn steps_to_the_end(&mut self) -> Result<Build, Failure> {
        let path = format!("/api/v1/apps/{}/builds/{}", self.app, self.number.0);
        let mut greeted = false;
        loop {
            let build: Build = self.client.get(&path).await?;
            if !greeted && !self.style.json {
                show::line(&show::build::head(&build))?;
                greeted = true;
            }
            let ended = build.phase.has_ended();
            if self.style.verbose {
                self.log(&path).await?;
            }
            for step in build.steps.iter().skip(self.steps) {
                if self.style.json {
                    show::json(&json!({ "event": "step", "step": step }))?;
                } else {
                    show::line(&show::build::step(step))?;
                }
            }
            self.steps = self.steps.max(build.steps.len());
            if ended {
                if self.style.json {
                    show::json(&json!({ "event": "build", "build": build.phase }))?;
                }
                return Ok(build);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What the steps have said since the last look.
    async fn log(&mut self, path: &str) -> Outcome {
        loop {
            let chunk: LogChunk =
                self.client.get(&format!("{path}/log?from={}", self.log_from)).await?;
            for said in chunk.text.lines().filter(|_| !self.style.json) {
                show::line(&paint::faint(&format!("  │ {}", safe(said, 200))))?;
            }
            let went_on = chunk.next > self.log_from;
            self.log_from = chunk.next;
            if !went_on {
                return Ok(());
            }
        }
    }

    /// From the release to its traffic.
    async fn deployment(&self, build: &Build) -> Outcome {
        let mut after = 0;
        loop {
            let path = format!("/api/v1/apps/{}/events?after={after}&limit=500", self.app);
            let events: Vec<Event> = self.client.get(&path).await?;
            for event in &events {
                after = event.rev;
                if let Some(ended) = self.hear(build, event).await? {
                    return ended;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One event; `Some` where it is the end.
    async fn hear(&self, build: &Build, event: &Event) -> Result<Option<Outcome>, Failure> {
        if is_on_the_way(event.kind) && event.at >= build.queued_at {
            if self.style.json {
                show::json(event)?;
            } else {
                show::line(&paint::faint(&format!("  · {}", safe(&event.text, 120))))?;
            }
        }
        let about = match &event.subject {
            Subject::Release(number) | Subject::Rollout(number) => *number == self.number,
            _ => false,
        };
        if !about {
            return Ok(None);
        }
        let shown = matches!(
            event.kind,
            EventKind::DeployStarted
                | EventKind::DeployDone
                | EventKind::DeployFailed
                | EventKind::RolloutStarted
                | EventKind::RolloutSplit
                | EventKind::RolloutAborted
                | EventKind::PushIgnored
        );
        if shown && self.style.json {
            show::json(event)?;
        }
        let serves = match event.kind {
            EventKind::DeployDone => true,
            EventKind::RolloutSplit => build.track == Track::Canary,
            EventKind::DeployFailed | EventKind::RolloutAborted => {
                return Ok(Some(Err(Failure::no(safe(&event.text, 300))
                    .hint(format!("toehold why {}", self.number.0)))));
            }
            EventKind::PushIgnored => {
                if !self.style.json {
                    show::line(&paint::busy(&safe(&event.text, 300)))?;
                }
                return Ok(Some(Ok(())));
            }
            _ => false,
        };
        if !serves {
            return Ok(None);
        }
        if !self.style.json {
            self.done(build, event).await?;
        }
        Ok(Some(Ok(())))
    }

    async fn done(&self, build: &Build, event: &Event) -> Outcome {
        let word = if build.track == Track::Canary { "canary" } else { "start" };
        let since = build.ended_at.map_or(Duration::ZERO, |ended| event.at.since(ended));
        show::line(&show::build::row(
            &paint::good("✓"),
            word,
            &safe(&event.text, 56),
            &took(since),
        ))?;
        let view: AppView = self.client.get(&format!("/api/v1/apps/{}", self.app)).await?;
        let total = took(event.at.since(build.queued_at));
        let url = view.urls.first().cloned().unwrap_or_default();
        let undo = match build.track {
            Track::Canary => "toehold rollout abort",
            Track::Stable => "toehold rollback",
        };
        show::line(&format!("{}   total {total}   undo: {undo}", paint::strong(&url)))
    }
}

/// Whether it says how far the machines are that a release waits for.
fn is_on_the_way(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::MachineWanted
            | EventKind::MachineMade
            | EventKind::MachineReady
            | EventKind::MachineFailed
            | EventKind::PlaybookStarted
            | EventKind::PlaybookTask
            | EventKind::PlaybookEnded
    )
}

//! A build from beginning to end.

mod artifact;
mod fetch;
mod steps;

use std::time::Instant;

use toehold_core::model::{Failure, Report, StepKind, StepOutcome};
use toehold_core::pipeline::next;
use toehold_core::spec::BuildSpec;
use toehold_core::tell::chain;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::builder::git::Git;
use crate::builder::order::{Ending, Order, Progress};
use crate::builder::output::Log;
use crate::builder::redact::Redactor;
use crate::builder::workshop::{Workshop, log_path};

/// Makes a build. Progress is sent as it comes (a receiver that is gone is not waited for); when
/// `cancel` is cancelled, every process is gone and [`Ending::Cancelled`] given within seconds.
pub async fn build(
    mut order: Order,
    progress: mpsc::Sender<Progress>,
    cancel: CancellationToken,
) -> Ending {
    // Git runs in the checkout, where a relative path would mean something else.
    for path in [Some(&mut order.repository), order.objects.as_mut()].into_iter().flatten() {
        *path = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
    }
    let began = Instant::now();
    let path = log_path(&order.dirs.logs, &order.app, order.number);
    let redactor = Redactor::new(order.secrets.iter().map(|(_, value)| value.as_str()));
    let log = Log::create(&path, redactor, order.limits.log_bytes);
    let opened = match log {
        Ok(log) => Workshop::open(&order).await.map(|workshop| (log, workshop)),
        Err(error) => Err(error),
    };
    let (log, workshop) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let what = format!("cannot make the folders of the build: {}", chain(&error));
            let hint = "see whether the disk is full, and who owns Toehold's folder".to_owned();
            let stop = stop(StepKind::Fetch, what, hint, took(began));
            let steps: Vec<StepOutcome> = stop.outcome().into_iter().collect();
            for outcome in &steps {
                let _ = progress.send(Progress::StepEnded(outcome.clone())).await;
            }
            return stop.ending(steps);
        }
    };
    let mut run = Run { order, workshop, log, progress, cancel, steps: Vec::new() };
    let ending = run.all().await;
    run.log.say(match &ending {
        Ending::Passed { .. } => "passed",
        Ending::Failed { .. } => "failed",
        Ending::Cancelled => "cancelled",
    });
    if let Some(error) = run.log.failed() {
        tracing::warn!(%error, app.name = %run.order.app, "the log of a build is not whole");
    }
    run.workshop.close();
    ending
}

/// A build that runs.
struct Run {
    order: Order,
    workshop: Workshop,
    log: Log,
    progress: mpsc::Sender<Progress>,
    cancel: CancellationToken,
    steps: Vec<StepOutcome>,
}

/// Why a build goes no further.
enum Stop {
    Cancelled,
    Failed { failure: Box<Failure>, outcome: Box<StepOutcome> },
}

impl Stop {
    fn outcome(&self) -> Option<StepOutcome> {
        match self {
            Self::Cancelled => None,
            Self::Failed { outcome, .. } => Some((**outcome).clone()),
        }
    }

    fn ending(self, steps: Vec<StepOutcome>) -> Ending {
        match self {
            Self::Cancelled => Ending::Cancelled,
            Self::Failed { failure, .. } => Ending::Failed { failure, steps },
        }
    }
}

/// A failure of Toehold's own work, or of what it found before a command ran.
fn stop(step: StepKind, what: String, hint: String, took_ms: u64) -> Stop {
    let failure = Failure {
        step,
        what: what.clone(),
        exit: String::new(),
        cases: Vec::new(),
        issues: Vec::new(),
        tail: Vec::new(),
        hint,
    };
    let outcome = StepOutcome {
        kind: step,
        passed: false,
        summary: what,
        took_ms,
        tests: None,
        report: Report::default(),
        issues: None,
    };
    Stop::Failed { failure: Box::new(failure), outcome: Box::new(outcome) }
}

fn passed(kind: StepKind, summary: String, took_ms: u64) -> StepOutcome {
    StepOutcome {
        kind,
        passed: true,
        summary,
        took_ms,
        tests: None,
        report: Report::default(),
        issues: None,
    }
}

fn took(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Run {
    async fn all(&mut self) -> Ending {
        match self.steps_in_order().await {
            Ok(ending) => ending,
            Err(stop) => {
                if let Some(outcome) = stop.outcome() {
                    self.ended(outcome).await;
                }
                stop.ending(std::mem::take(&mut self.steps))
            }
        }
    }

    async fn steps_in_order(&mut self) -> Result<Ending, Stop> {
        self.started(StepKind::Fetch).await;
        let (fetched, outcome) = self.fetch().await?;
        self.ended(outcome).await;
        let mut snapshot = None;
        loop {
            let kind = self.next(&fetched.spec.build)?;
            // What a test leaves behind is not shipped.
            if kind > StepKind::Install && snapshot.is_none() {
                snapshot = Some(self.snapshot(kind).await?);
            }
            self.started(kind).await;
            match kind {
                StepKind::Install => {
                    let outcome = self.install(&fetched).await?;
                    self.ended(outcome).await;
                }
                StepKind::Artifact | StepKind::Fetch => {
                    let snapshot = snapshot.unwrap_or_default();
                    let (manifest, outcome) = self.artifact(&fetched, snapshot).await?;
                    self.ended(outcome).await;
                    return Ok(Ending::Passed {
                        artifact: Box::new(manifest),
                        spec: Box::new(fetched.spec),
                        steps: std::mem::take(&mut self.steps),
                    });
                }
                StepKind::Test | StepKind::Lint => {
                    let outcome = self.check(kind, &fetched).await?;
                    self.ended(outcome).await;
                }
            }
        }
    }

    fn next(&self, build: &BuildSpec) -> Result<StepKind, Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        Ok(next(build, &self.steps).unwrap_or(StepKind::Artifact))
    }

    async fn started(&mut self, kind: StepKind) {
        self.tell(Progress::StepStarted(kind)).await;
    }

    /// Whoever listens may be gone; the build goes on, and its ending tells all.
    async fn tell(&self, progress: Progress) {
        tokio::select! {
            _ = self.progress.send(progress) => {}
            () = self.cancel.cancelled() => {}
        }
    }

    async fn ended(&mut self, outcome: StepOutcome) {
        let StepOutcome { kind, passed, summary, took_ms, .. } = &outcome;
        let (seconds, tenths) = (took_ms / 1000, took_ms % 1000 / 100);
        let word = if *passed { "passed" } else { "failed" };
        self.log.say(&format!("{kind} {word} in {seconds}.{tenths}s: {summary}"));
        self.steps.push(outcome.clone());
        self.tell(Progress::StepEnded(outcome)).await;
    }

    fn git(&self) -> Git<'_> {
        Git {
            repository: &self.order.repository,
            objects: self.order.objects.as_deref(),
            index: &self.workshop.index,
            worktree: &self.workshop.checkout,
        }
    }
}

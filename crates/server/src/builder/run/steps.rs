//! The steps that run a command: install, test, lint.

use std::time::Instant;

use toehold_core::model::{StepKind, StepOutcome};
use toehold_core::pipeline::{Ended, Evidence, Format, Judged, Ran, command, outcome};
use toehold_core::spec::Reports;
use toehold_core::tell::chain;

use super::fetch::Fetched;
use super::{Run, Stop, passed, stop, took};
use crate::builder::cache::{self, Plan};
use crate::builder::report::{gather, remove};
use crate::builder::space::room;
use crate::builder::step::{Cancelled, Command, run};
use crate::builder::surroundings::environment;
use crate::builder::workshop::keep_findings;

/// Dependencies of a middling app, for which there must be room before they are installed.
const USUAL_DEPENDENCIES: u64 = 256 << 20;

impl Run {
    /// Installs the dependencies, or takes them from the cache.
    pub(super) async fn install(&mut self, fetched: &Fetched) -> Result<StepOutcome, Stop> {
        let began = Instant::now();
        let line = command(&fetched.spec.build, StepKind::Install).unwrap_or_default().to_owned();
        self.log.begin(&format!("install: {line}"));
        let reserve = self.order.limits.free_bytes;
        room("installing dependencies", &self.workshop.checkout, USUAL_DEPENDENCIES, reserve)
            .map_err(|error| stop(StepKind::Install, chain(&error), String::new(), took(began)))?;
        let environment = self.environment();
        let path = environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, path)| path.clone()).unwrap_or_default();
        let plan = cache::plan(&line, &self.workshop.checkout, &path);
        let restored = match &plan {
            Some(plan) => self.restored(plan).await,
            None => false,
        };
        let left = match &plan {
            Some(plan) if restored => {
                let key: String = plan.key.chars().take(12).collect();
                self.log.say(&format!("{} is taken from the cache ({key})", plan.folder));
                plan.rest.clone()
            }
            Some(_) | None => Some(line.clone()),
        };
        let Some(left) = left else {
            let _ = self.log.end();
            return Ok(passed(StepKind::Install, "cached".to_owned(), took(began)));
        };
        let judged = self.command(StepKind::Install, &left, fetched, began).await?;
        let outcome = settled(judged)?;
        if let Some(plan) = plan.filter(|_| !restored) {
            self.save(plan).await;
        }
        Ok(outcome)
    }

    async fn restored(&self, plan: &Plan) -> bool {
        let (plan, checkout) = (plan.clone(), self.workshop.checkout.clone());
        let dependencies = self.workshop.dependencies.clone();
        let restore = move || cache::restore(&plan, &dependencies, &checkout);
        tokio::task::spawn_blocking(restore).await.unwrap_or(false)
    }

    /// A cache that cannot be filled costs time, and fails nothing.
    async fn save(&mut self, plan: Plan) {
        let checkout = self.workshop.checkout.clone();
        let (dependencies, limits) =
            (self.workshop.dependencies.clone(), self.order.limits.clone());
        let save = move || cache::save(&plan, &dependencies, &checkout, &limits);
        let saved = tokio::task::spawn_blocking(save).await.map_err(std::io::Error::other);
        if let Err(error) = saved.flatten() {
            self.log.say(&format!("the dependencies were not kept for later: {error}"));
        }
    }

    /// Runs the tests or the style check.
    pub(super) async fn check(
        &mut self,
        kind: StepKind,
        fetched: &Fetched,
    ) -> Result<StepOutcome, Stop> {
        let began = Instant::now();
        let line = command(&fetched.spec.build, kind).unwrap_or_default().to_owned();
        self.log.begin(&format!("{kind}: {line}"));
        for (_, pattern) in named(&fetched.spec.build.reports, kind) {
            let count = remove(&self.workshop.checkout, &pattern);
            if count > 0 {
                let say = format!("{count} old reports that match `{pattern}` were removed first");
                self.log.say(&say);
            }
        }
        let judged = self.command(kind, &line, fetched, began).await?;
        if kind == StepKind::Lint
            && let Err(error) = keep_findings(&self.order, &judged.issues)
        {
            tracing::warn!(%error, app.name = %self.order.app, "findings of a build were not kept");
        }
        settled(judged)
    }

    /// Runs a command of a step and says what its end meant.
    async fn command(
        &mut self,
        kind: StepKind,
        line: &str,
        fetched: &Fetched,
        began: Instant,
    ) -> Result<Judged, Stop> {
        let ended = self.ended_by(line, fetched).await?;
        let tail = self.log.end();
        let evidence = if matches!(ended, Ended::NotStarted(_)) {
            Vec::new()
        } else {
            self.evidence(&fetched.spec.build.reports, kind).await
        };
        let ran = Ran {
            kind,
            command: line,
            scripts: &fetched.scripts,
            ended,
            took_ms: took(began),
            evidence,
            tail: &tail,
            checkout: &self.workshop.checkout.to_string_lossy(),
            baseline: &self.order.baseline,
            ratchet: fetched.spec.build.lint_ratchet,
        };
        Ok(outcome(&ran))
    }

    async fn ended_by(&mut self, line: &str, fetched: &Fetched) -> Result<Ended, Stop> {
        let environment = self.environment();
        let group = self.workshop.group();
        let command = Command {
            line,
            dir: &self.workshop.checkout,
            env: &environment,
            marker: &self.workshop.marker,
            group: &group,
            timeout: fetched.spec.build.timeout,
            idle_timeout: fetched.spec.build.idle_timeout,
            limits: &self.order.limits,
            writable: self.workshop.writable(),
        };
        run(&command, &mut self.log, &self.cancel).await.map_err(|Cancelled| Stop::Cancelled)
    }

    async fn evidence(&self, reports: &Reports, kind: StepKind) -> Vec<Evidence> {
        let (named, checkout) = (named(reports, kind), self.workshop.checkout.clone());
        let read = move || {
            let one = |(format, pattern): (Format, String)| {
                let found = gather(&checkout, format, &pattern);
                Evidence { format, pattern, found }
            };
            named.into_iter().map(one).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }

    fn environment(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        environment(&self.order.surroundings, &self.workshop.home, &self.workshop.tmp)
    }
}

/// The reports that are named for a step.
pub(super) fn named(reports: &Reports, kind: StepKind) -> Vec<(Format, String)> {
    let of_step = match kind {
        StepKind::Test => vec![(Format::Junit, &reports.junit), (Format::Tap, &reports.tap)],
        StepKind::Lint => {
            vec![(Format::Checkstyle, &reports.checkstyle), (Format::Sarif, &reports.sarif)]
        }
        StepKind::Fetch | StepKind::Install | StepKind::Artifact => Vec::new(),
    };
    of_step.into_iter().filter_map(|(format, pattern)| Some((format, pattern.clone()?))).collect()
}

fn settled(judged: Judged) -> Result<StepOutcome, Stop> {
    match judged.failure {
        None => Ok(judged.outcome),
        Some(failure) => {
            let (failure, outcome) = (Box::new(failure), Box::new(judged.outcome));
            Err(Stop::Failed { failure, outcome })
        }
    }
}

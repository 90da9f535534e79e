//! One build, from its turn to its end: the builder works, this room writes down what comes of it.

use std::sync::PoisonError;

use toehold_core::model::{
    Build, BuildPhase, Failure, Issue, Manifest, Number, Release, ReleaseVerdict, StepKind,
    StepOutcome,
};
use toehold_core::pipeline::fit;
use toehold_core::spec::Spec;
use toehold_core::tell;
use toehold_core::time::Timestamp;
use toehold_core::wish::{Wish, grant};
use toehold_host::process::is_alive;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::apps::build_key;
use super::build_events as say;
use super::carry_out::{Change, only_saying};
use super::queue::{Entry, Started, Stop};
use super::{Control, ControlError};
use crate::builder::{self, Ending, Order, Progress};
use crate::metrics::Outcome;
use crate::store::{Doc, Txn, Write};

/// How many words of the builder may wait to be written down.
const WORDS: usize = 64;

/// The largest document of a build, in bytes: what of it is changed later needs room, too.
const BUILD_BYTES: usize = Doc::MAX_VALUE_BYTES - 4 * 1024;

/// Runs a build to its end. What goes wrong on our side ends it too: nothing stays running.
pub(super) async fn run(control: &Control, started: Started) {
    let (entry, cancel, stop) = started;
    let ended = control.attempt(&entry, cancel).await;
    let stopped = stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let settled = match (ended, stopped) {
        // A shutdown is no verdict: the build is taken up again at the next start.
        (Ok(Ending::Cancelled), None) if control.shutdown.is_cancelled() => return,
        (Ok(ending), stopped) => control.settle(&entry, ending, stopped).await,
        (Err(error), _) => control.settle(&entry, ours(&error), None).await,
    };
    let Err(error) = settled else { return };
    error!(app.name = %entry.app, build.number = %entry.number, %error, "the end of a build could not be written down");
    // What could not become a release has failed: nothing stays running. Where the store takes not
    // even that, the build is taken up again at the next start.
    if let Err(error) = control.settle(&entry, ours(&error), None).await {
        error!(app.name = %entry.app, build.number = %entry.number, %error, "nor could its failure");
    }
}

/// A failure that is not the app's.
fn ours(error: &ControlError) -> Ending {
    let failure = Failure {
        step: StepKind::Fetch,
        what: tell::chain(error),
        exit: String::new(),
        cases: Vec::new(),
        issues: Vec::new(),
        tail: Vec::new(),
        hint: "toehold doctor".into(),
    };
    Ending::Failed { failure: Box::new(failure), steps: Vec::new() }
}

impl Control {
    async fn attempt(
        &self,
        entry: &Entry,
        cancel: CancellationToken,
    ) -> Result<Ending, ControlError> {
        let mut build = self.build(&entry.app, entry.number).await?;
        build.started_at = Some(self.clock().now());
        build.phase = BuildPhase::Running { step: StepKind::Fetch };
        let event = say::started(&build, self.clock().now());
        self.note(&mut build, Some(event)).await?;
        self.fetch(&build, &cancel).await?;
        let baseline = self.findings_before(&build).await?;
        let order = self.order(entry, &build, baseline)?;
        let (words, mut heard) = mpsc::channel(WORDS);
        let work = builder::build(order, words, cancel);
        let listen = async {
            while let Some(word) = heard.recv().await {
                self.hear(&mut build, word).await;
            }
        };
        let (ending, ()) = tokio::join!(work, listen);
        Ok(ending)
    }

    /// The findings of the last good build of the track.
    async fn findings_before(&self, build: &Build) -> Result<Vec<Issue>, ControlError> {
        let builds = self.builds(&build.app).await?;
        let good =
            |it: &&Build| it.track == build.track && matches!(it.phase, BuildPhase::Passed { .. });
        let last = builds.iter().find(good).map(|it| it.number);
        let logs = self.layout().build_logs();
        Ok(last.map(|number| builder::findings(&logs, &build.app, number)).unwrap_or_default())
    }

    fn order(
        &self,
        entry: &Entry,
        build: &Build,
        baseline: Vec<Issue>,
    ) -> Result<Order, ControlError> {
        let layout = self.layout();
        let secrets = match self.parts.vault.current(&entry.app)? {
            Some(version) => self.parts.vault.read(&entry.app, &version)?,
            None => std::collections::BTreeMap::new(),
        };
        let redact =
            secrets.into_iter().map(|(name, value)| (name, value.reveal().to_owned())).collect();
        Ok(Order {
            app: entry.app.clone(),
            number: entry.number,
            commit: build.commit.clone(),
            repository: layout.repository(&entry.app),
            objects: entry.waiting.as_ref().map(|waiting| waiting.objects.clone()),
            baseline,
            secrets: redact,
            surroundings: builder::surroundings(),
            dirs: self.builder_dirs(),
            limits: builder::Limits::default(),
        })
    }

    /// Where the builder works.
    pub(super) fn builder_dirs(&self) -> builder::Dirs {
        let layout = self.layout();
        builder::Dirs {
            work: layout.work(),
            cache: layout.cache(),
            logs: layout.build_logs(),
            artifacts: layout.artifacts(),
        }
    }

    /// Writes down what the builder says while it works. The build's document is only to look at:
    /// that it could not be written once is no reason to stop.
    async fn hear(&self, build: &mut Build, word: Progress) {
        let event = match word {
            Progress::StepStarted(step) => {
                build.phase = BuildPhase::Running { step };
                None
            }
            Progress::StepEnded(step) => {
                let event = say::step(build, &step, self.clock().now());
                build.steps.push(step);
                Some(event)
            }
        };
        if let Err(error) = self.note(build, event).await {
            error!(app.name = %build.app, build.number = %build.number, %error, "a build's progress could not be written down");
        }
    }

    async fn note(
        &self,
        build: &mut Build,
        event: Option<toehold_core::model::Event>,
    ) -> Result<(), ControlError> {
        fit(build, BUILD_BYTES);
        let build = &*build;
        let mut txn =
            Txn::by("toehold").write(Write::put(build_key(&build.app, build.number), build));
        if let Some(event) = event {
            txn = txn.write(Write::event(&event));
        }
        txn.writes.extend(self.reports_since(build).await);
        self.store().commit(txn).await?;
        Ok(())
    }

    /// What a forge is told of a build, since it was written down the last time.
    async fn reports_since(&self, build: &Build) -> Vec<Write> {
        let before = self.build(&build.app, build.number).await.ok();
        self.reports_of_build(before.as_ref(), build)
    }

    /// Writes down how a build ended, and wishes for what it made.
    async fn settle(
        &self,
        entry: &Entry,
        ending: Ending,
        stopped: Option<Stop>,
    ) -> Result<(), ControlError> {
        let mut build = self.build(&entry.app, entry.number).await?;
        build.ended_at = Some(self.clock().now());
        let stopped = match stopped {
            None if self.was_given_up(entry, &build).await? => Some(Stop::Cancelled(
                "the push was broken off before its commit was taken in".to_owned(),
            )),
            stopped => stopped,
        };
        self.tally(&build, &ending, stopped.as_ref());
        match (stopped, ending) {
            (Some(Stop::Superseded(by)), _) => {
                build.phase = BuildPhase::Superseded { by };
                let event = say::superseded(&build, by, self.clock().now());
                self.note(&mut build, Some(event)).await
            }
            (Some(Stop::Cancelled(why)), _) => {
                build.phase = BuildPhase::Cancelled { why };
                let event = say::cancelled(&build, self.clock().now());
                self.note(&mut build, Some(event)).await
            }
            (None, Ending::Cancelled) => {
                build.phase = BuildPhase::Cancelled { why: "it was stopped".into() };
                let event = say::cancelled(&build, self.clock().now());
                self.note(&mut build, Some(event)).await
            }
            (None, Ending::Failed { failure, steps }) => self.failed(build, *failure, steps).await,
            (None, Ending::Passed { artifact, spec, steps }) => {
                build.steps = steps;
                self.passed(build, &artifact, *spec).await
            }
        }
    }

    /// Counts how a build ended.
    fn tally(&self, build: &Build, ending: &Ending, stopped: Option<&Stop>) {
        let outcome = match (stopped, ending) {
            (Some(Stop::Superseded(_)), _) => Outcome::Superseded,
            (Some(Stop::Cancelled(_)), _) | (None, Ending::Cancelled) => Outcome::Cancelled,
            (None, Ending::Failed { .. }) => Outcome::Failed,
            (None, Ending::Passed { .. }) => Outcome::Passed,
        };
        let took = match (build.started_at, build.ended_at) {
            (Some(began), Some(ended)) => ended.since(began),
            _ => std::time::Duration::ZERO,
        };
        self.metrics().tally.build(&build.app, build.track, outcome, took);
    }

    /// Whether the push that waited for this build was broken off.
    async fn was_given_up(&self, entry: &Entry, build: &Build) -> Result<bool, ControlError> {
        match &entry.waiting {
            Some(waiting) if !is_alive(waiting.hook) => {
                Ok(!self.repository(&build.app)?.has(&build.commit).await?)
            }
            Some(_) | None => Ok(false),
        }
    }

    async fn failed(
        &self,
        mut build: Build,
        failure: Failure,
        steps: Vec<StepOutcome>,
    ) -> Result<(), ControlError> {
        if !steps.is_empty() {
            build.steps = steps;
        }
        let event = say::failed(&build, &failure, self.clock().now());
        build.phase = BuildPhase::Failed { failure: failure.clone() };
        fit(&mut build, BUILD_BYTES);
        let mut txn = Txn::by("toehold")
            .write(Write::put(build_key(&build.app, build.number), &build))
            .write(Write::event(&event));
        for letter in self.build_failed_letter(&build, &failure).await {
            txn = txn.write(letter);
        }
        txn.writes.extend(self.reports_since(&build).await);
        self.store().commit(txn).await?;
        Ok(())
    }

    /// One step of the store: the build has passed, its release exists and is wished for.
    async fn passed(
        &self,
        mut build: Build,
        manifest: &Manifest,
        spec: Spec,
    ) -> Result<(), ControlError> {
        build.phase = BuildPhase::Passed { artifact: manifest.digest.clone() };
        fit(&mut build, BUILD_BYTES);
        let fixed = self.failed_before(&build).await?;
        let secrets = self.parts.vault.current(&build.app)?;
        self.flags().declare(&build.app, &spec.flags, "toehold").await?;
        let name = build.app.clone();
        let reports = self.reports_since(&build).await;
        self.change(&name, "toehold", build.cause, |situation, releases| {
            let release = release(&build, manifest, &spec, secrets.clone(), situation.now);
            releases.insert(release.number, release.clone());
            let situation = toehold_core::decide::Situation { releases, ..situation };
            let wish =
                Wish::Deploy { release: release.number, track: build.track, automatic: true };
            let mut events = vec![say::release(&build, &release, situation.now)];
            if let Some(broken) = fixed {
                events.push(say::fixed(&build, broken, situation.now));
            }
            let mut decision = match grant(situation, &wish, "toehold") {
                Ok(decision) => decision,
                Err(refusal) => {
                    events.push(say::held_back(&build, &refusal, situation.now));
                    only_saying(situation.app, Vec::new())
                }
            };
            events.append(&mut decision.events);
            decision.events = events;
            if decision.releases.iter().all(|it| it.number != release.number) {
                decision.releases.push(release);
            }
            let mut change = Change::from(decision);
            change.more.push(Write::put(build_key(&build.app, build.number), &build));
            change.more.extend_from_slice(&reports);
            if let Some(broken) = fixed {
                change.more.extend(self.build_fixed_letter(&build, broken));
            }
            Ok(change)
        })
        .await?;
        Ok(())
    }

    /// The failed build this one mends: the newest ended one of its track before it, if that
    /// failed.
    async fn failed_before(&self, build: &Build) -> Result<Option<Number>, ControlError> {
        let builds = self.builds(&build.app).await?;
        let verdict = |it: &&Build| {
            it.track == build.track
                && it.number < build.number
                && matches!(it.phase, BuildPhase::Passed { .. } | BuildPhase::Failed { .. })
        };
        let newest = builds.iter().find(verdict);
        let failed = |it: &&Build| matches!(it.phase, BuildPhase::Failed { .. });
        Ok(newest.filter(failed).map(|it| it.number))
    }

    /// A build that waited and was replaced by a newer one.
    pub(super) async fn superseded(&self, entry: &Entry, by: Number) -> Result<(), ControlError> {
        self.settle(entry, Ending::Cancelled, Some(Stop::Superseded(by))).await
    }

    /// Stops a build.
    pub async fn cancel(
        &self,
        name: &toehold_core::model::AppName,
        number: Number,
        actor: &str,
    ) -> Result<toehold_core::wire::api::Done, ControlError> {
        let build = self.build(name, number).await?;
        if build.phase.has_ended() {
            let text = format!("build {number} has ended already");
            return Ok(toehold_core::wire::api::Done { text, event: None });
        }
        let why = format!("{actor} stopped it");
        let waiting = self.queue().cancel(name, number, &why);
        if let Some(entry) = waiting {
            let ending = Ending::Cancelled;
            self.settle(&entry, ending, Some(Stop::Cancelled(why))).await?;
        }
        let text = format!("build {number} is stopped");
        Ok(toehold_core::wire::api::Done { text, event: None })
    }
}

fn release(
    build: &Build,
    manifest: &Manifest,
    spec: &Spec,
    secrets: Option<toehold_core::model::Digest>,
    now: Timestamp,
) -> Release {
    Release {
        app: build.app.clone(),
        number: build.number,
        artifact: manifest.digest.clone(),
        commit: build.commit.clone(),
        branch: build.branch.clone(),
        subject: build.subject.clone(),
        spec: spec.clone(),
        secrets,
        made_at: now,
        verdict: ReleaseVerdict::Untried,
        cause: build.cause,
    }
}

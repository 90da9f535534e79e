//! An app at one glance.

use std::collections::BTreeMap;

use toehold_core::model::{
    AppName, BuildPhase, InstanceId, Number, Release, ReleaseVerdict, RolloutPhase, Split, Track,
};
use toehold_core::rollout::step_words;
use toehold_core::spec::Step;
use toehold_core::wire::agent::{LogFrom, LogPiece};
use toehold_core::wire::api::{AppView, Failed, InstanceView, LookView, ReleaseView, StepView};
use toehold_core::wire::proxy::{InstanceCounters, TRACK_COOKIE};

use super::apps::{Loaded, release_key};
use super::{Control, ControlError};

impl Control {
    /// Everything of an app.
    pub async fn view(&self, name: &AppName) -> Result<AppView, ControlError> {
        let failed = self.failed_last(name).await?;
        let apps = self.apps.lock().await;
        let loaded = apps.get(name)?;
        let app = &loaded.app;
        let traffic = self.metrics().traffic(name, self.clock().now());
        Ok(AppView {
            app: name.clone(),
            urls: self.urls(loaded),
            serving: app.serving(),
            wanted: app.stable.as_ref().map(|stable| stable.release),
            back_to: app.back_to(|good| loaded.releases.contains_key(&good)),
            rollout: app.rollout.clone(),
            step: step(loaded),
            split: split(loaded),
            pin: app.pin.clone(),
            scale: app.scale.clone(),
            route: app.route.clone(),
            instances: self.instances(loaded),
            alerts: app.alerts.clone(),
            traffic,
            building: self.queue().current(name),
            failed,
        })
    }

    /// How to look at an app's canary before anyone else.
    pub async fn way_to_canary(&self, name: &AppName) -> Result<LookView, ControlError> {
        let apps = self.apps.lock().await;
        let urls = self.urls(apps.get(name)?);
        let key = self.parts.keys.track_key(name);
        let value = format!("{}.{}", Track::Canary, key.reveal());
        let header = format!("X-Toehold-Track: {value}");
        Ok(LookView { urls, header, cookie: format!("{TRACK_COOKIE}={value}") })
    }

    /// The newest build, or the release it became, where that failed.
    async fn failed_last(&self, name: &AppName) -> Result<Option<Failed>, ControlError> {
        let next = self.apps.lock().await.get(name)?.app.next_number;
        let number = Number(next.saturating_sub(1));
        let build = match self.build(name, number).await {
            Ok(build) => build,
            Err(ControlError::NoBuild { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let why = match build.phase {
            BuildPhase::Failed { failure } => format!("{}: {}", failure.step, failure.what),
            BuildPhase::Passed { .. } => {
                let release = self.store().get_as::<Release>(&release_key(name, number)).await?;
                match release.map(|it| it.value.verdict) {
                    Some(ReleaseVerdict::Bad { why }) => why,
                    Some(ReleaseVerdict::Good | ReleaseVerdict::Untried) | None => return Ok(None),
                }
            }
            BuildPhase::Queued
            | BuildPhase::Running { .. }
            | BuildPhase::Superseded { .. }
            | BuildPhase::Cancelled { .. } => return Ok(None),
        };
        Ok(Some(Failed { number, why }))
    }

    fn instances(&self, loaded: &Loaded) -> Vec<InstanceView> {
        let seen = self.seen(&loaded.app);
        let report = self.parts.fleet.proxy().map(|seen| seen.report).unwrap_or_default();
        let mut counters: BTreeMap<InstanceId, InstanceCounters> =
            report.instances.into_iter().map(|it| (it.instance.clone(), it)).collect();
        let instances = loaded.app.instances.iter().map(|instance| {
            let counted = counters.remove(&instance.id);
            InstanceView {
                instance: instance.clone(),
                status: seen.instances.get(&instance.id).cloned(),
                in_flight: counted.as_ref().map_or(0, |counted| counted.in_flight),
                set_aside: counted.and_then(|counted| counted.set_aside),
            }
        });
        instances.collect()
    }

    /// Where an app is reached: its own hosts, else `<app>.localhost` at the proxy.
    fn urls(&self, loaded: &Loaded) -> Vec<String> {
        let settings = self.settings();
        let serving = loaded.app.serving().and_then(|number| loaded.releases.get(&number));
        let hosts = serving.map(|release| release.spec.proxy.hosts.clone()).unwrap_or_default();
        let port = settings.listen.port();
        let mut urls: Vec<String> =
            hosts.iter().map(|host| format!("http://{host}:{port}")).collect();
        urls.extend(settings.public_url.clone());
        urls.push(format!("http://{}.localhost:{port}", loaded.app.name));
        urls
    }

    /// Every release of an app that is kept, newest first.
    pub async fn releases(&self, name: &AppName) -> Result<Vec<ReleaseView>, ControlError> {
        let (serving, canary) = {
            let apps = self.apps.lock().await;
            let app = &apps.get(name)?.app;
            let rollout = app.rollout.as_ref().filter(|rollout| rollout.phase.runs());
            (app.serving(), rollout.map(|rollout| rollout.release))
        };
        let (docs, _) = self.store().list_as::<Release>(&format!("release/{name}/")).await?;
        let view = |release: Release| {
            let state = state_of(&release, serving, canary);
            ReleaseView { release, state }
        };
        Ok(docs.into_iter().rev().map(|doc| view(doc.value)).collect())
    }

    /// A piece of an instance's log.
    pub async fn instance_log(
        &self,
        instance: &InstanceId,
        from: LogFrom,
        max_bytes: u64,
    ) -> Result<LogPiece, ControlError> {
        let machine = {
            let apps = self.apps.lock().await;
            let known = apps.get(instance.app()).ok();
            let found = known.and_then(|it| it.app.instances.iter().find(|it| it.id == *instance));
            found.and_then(|it| it.place.as_ref()).map(|place| place.machine.clone())
        };
        Ok(self.parts.fleet.read_log(machine.as_ref(), instance, from, max_bytes).await?)
    }
}

fn state_of(release: &Release, serving: Option<Number>, canary: Option<Number>) -> String {
    if serving == Some(release.number) {
        return "serving".into();
    }
    if canary == Some(release.number) {
        return "canary".into();
    }
    match &release.verdict {
        ReleaseVerdict::Untried => "untried".into(),
        ReleaseVerdict::Good => "good".into(),
        ReleaseVerdict::Bad { why } => format!("bad: {why}"),
    }
}

/// The split in force: what the route says, not what was wished.
fn split(loaded: &Loaded) -> Option<Split> {
    let weight = |track| {
        let arms = &loaded.app.route.arms;
        arms.iter().find(|arm| arm.track == track).map_or(0, |arm| arm.weight)
    };
    match (weight(Track::Stable), weight(Track::Canary)) {
        (0, 0) => None,
        (_, 0) => Some(Split::ALL_STABLE),
        (stable, canary) => Split::new(stable, canary),
    }
}

fn step(loaded: &Loaded) -> Option<StepView> {
    let rollout = loaded.app.rollout.as_ref()?;
    let (at, release) = (rollout.step?, loaded.releases.get(&rollout.release)?);
    let steps = &release.spec.canary.steps;
    let step = steps.get(at)?;
    let waits = *step == Step::Approve && rollout.phase == RolloutPhase::Serving;
    Some(StepView { number: at + 1, of: steps.len(), says: step_words(step), waits })
}

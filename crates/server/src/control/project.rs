//! What is wished, as agents and proxy are told it: always the whole.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{MutexGuard, PoisonError};

use toehold_core::model::{App, AppName, Arm, Goal, Instance, MachineName, Release, Target, Track};
use toehold_core::situation::Seen;
use toehold_core::spec::{ProxySpec, Spec};
use toehold_core::wire::Order;
use toehold_core::wire::agent::Placed;
use toehold_core::wire::proxy::{AppRoute, Routes};
use tracing::error;

use super::Control;
use super::apps::{Apps, Loaded};

/// How many plans are remembered, to know what a proxy that lags has in force.
const PLANS_KEPT: usize = 256;

/// The plans told so far in this epoch.
#[derive(Default)]
pub(super) struct Plans {
    epoch: u64,
    rev: u64,
    /// The route's revision of each app, by plan.
    told: VecDeque<(u64, BTreeMap<AppName, u64>)>,
    /// The canaries without a share that the proxy was told of beside the routes, by app.
    shown: BTreeMap<AppName, Arm>,
}

impl Plans {
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// The newest plan.
    pub(super) const fn order(&self) -> Order {
        Order { epoch: self.epoch, rev: self.rev }
    }

    fn next(&mut self, revs: BTreeMap<AppName, u64>) -> Order {
        self.rev += 1;
        self.told.push_back((self.rev, revs));
        if self.told.len() > PLANS_KEPT {
            self.told.pop_front();
        }
        self.order()
    }

    /// The revision of an app's route in a plan that is in force; 0 where the plan is of an earlier
    /// epoch or forgotten: then nothing is known to be in force.
    pub(super) fn applied(&self, order: Order, app: &AppName) -> u64 {
        if order.epoch != self.epoch {
            return 0;
        }
        let plan = self.told.iter().find(|(rev, _)| *rev == order.rev);
        plan.and_then(|(_, revs)| revs.get(app)).copied().unwrap_or(0)
    }
}

impl Control {
    pub(super) fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everyone what is wished now.
    pub(super) async fn project(&self) {
        let apps = self.apps.lock().await;
        self.project_all(&apps);
    }

    pub(super) fn project_all(&self, apps: &Apps) {
        let revs = apps.by_name.iter().map(|(name, it)| (name.clone(), it.app.route.rev)).collect();
        let order = self.plans().next(revs);
        let before = self.plans().shown.clone();
        let show = |(name, loaded): (&AppName, &Loaded)| {
            let app = &loaded.app;
            Some((name.clone(), shown(app, &self.seen(app), before.get(name))?))
        };
        let shown: BTreeMap<AppName, Arm> = apps.by_name.iter().filter_map(show).collect();
        let route = |loaded| self.route(loaded, &shown);
        // The proxy first: what takes traffic away must not wait for anything.
        self.parts.fleet.route(Routes {
            order,
            apps: apps.by_name.values().map(route).collect(),
            cookie_key: hex::encode(self.parts.keys.cookie()),
        });
        self.plans().shown = shown;
        let mut placed: BTreeMap<MachineName, Vec<Placed>> =
            self.machines().names().map(|name| (name, Vec::new())).collect();
        for loaded in apps.by_name.values() {
            for (machine, instance) in self.placed(loaded) {
                placed.entry(machine).or_default().push(instance);
            }
        }
        self.machines().count(apps.by_name.values().map(|it| &it.app));
        self.parts.fleet.place(order, placed);
    }

    /// Whether the proxy should be told of another canary without a share, or of another place
    /// where it is: its document knows nothing of that.
    pub(super) fn shows_another(&self, app: &App, seen: &Seen) -> bool {
        let told = self.plans().shown.get(&app.name).cloned();
        shown(app, seen, told.as_ref()) != told
    }

    fn route(&self, loaded: &Loaded, shown: &BTreeMap<AppName, Arm>) -> AppRoute {
        let app = &loaded.app;
        let proxy = reached(loaded);
        AppRoute {
            app: app.name.clone(),
            rev: app.route.rev,
            hosts: hosts(loaded).collect(),
            arms: app.route.arms.iter().chain(shown.get(&app.name)).cloned().collect(),
            sticky: proxy.sticky,
            timeout: proxy.timeout,
            max_body_bytes: proxy.max_body_bytes,
            track_key: self.parts.keys.track_key(&app.name),
        }
    }

    /// Every instance of an app that has a machine, with it.
    fn placed(&self, loaded: &Loaded) -> Vec<(MachineName, Placed)> {
        let place = |instance: &Instance| {
            let machine = &instance.place.as_ref()?.machine;
            let release = loaded.releases.get(&instance.release)?;
            Some((machine.clone(), self.place(&loaded.app, release, instance, machine)?))
        };
        loaded.app.instances.iter().filter_map(place).collect()
    }

    fn place(
        &self,
        app: &App,
        release: &Release,
        instance: &Instance,
        machine: &MachineName,
    ) -> Option<Placed> {
        let run = &release.spec.run;
        let layout = &self.parts.layout;
        // On this machine the agent reads the shelf itself, and all of an app share one folder.
        let here = *machine == MachineName::local();
        let shelf = || crate::builder::artifact_path(&layout.artifacts(), &release.artifact);
        Some(Placed {
            id: instance.id.clone(),
            release: release.number,
            track: instance.track,
            goal: instance.goal,
            artifact: release.artifact.clone(),
            artifact_path: here.then(|| shelf().display().to_string()),
            listen: self.machines().address(machine)?,
            command: run.web.clone()?,
            release_command: run.release.clone(),
            env: self.environment(app, release, here),
            secrets: run.secrets.iter().cloned().collect(),
            data_dir: here.then(|| layout.app_data(&app.name).display().to_string()),
            cpus: run.cpus,
            memory_bytes: run.memory_bytes,
            grace: run.grace,
            health: release.spec.health.clone(),
        })
    }

    /// Where an instance asks for its flags; `None` where it is on another machine, and nobody says
    /// how the API is reached from there.
    fn api_for(&self, here: bool) -> Option<String> {
        if here { Some(format!("http://{}", self.parts.settings.api)) } else { self.dashboard() }
    }

    /// What an instance finds in its environment: what the operator's Toehold gives, over that the
    /// app's own words, over that its secrets.
    fn environment(&self, app: &App, release: &Release, here: bool) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        if let Some(api) = self.api_for(here) {
            let token = self.parts.keys.app_token(&app.name);
            env.insert("OFREP_ENDPOINT".into(), api);
            // The form of this variable is that of a query: values are percent-encoded.
            env.insert(
                "OFREP_HEADERS".into(),
                format!("Authorization=Bearer%20{}", token.reveal()),
            );
        }
        env.extend(release.spec.run.env.clone());
        if let Some(version) = &release.secrets {
            match self.parts.vault.read(&app.name, version) {
                Ok(secrets) => {
                    let wanted = |(name, _): &(String, crate::secret::Secret)| {
                        release.spec.run.secrets.contains(name)
                    };
                    env.extend(
                        secrets
                            .into_iter()
                            .filter(wanted)
                            .map(|(name, value)| (name, value.reveal().to_owned())),
                    );
                }
                Err(error) => {
                    error!(app.name = %app.name, release.id = %release.number, %error, "the secrets of a release cannot be read");
                }
            }
        }
        env
    }
}

/// How an app is reached is said by the release that serves everyone, never by a canary.
fn reached(loaded: &Loaded) -> ProxySpec {
    let arm = loaded.app.route.arms.iter().find(|arm| arm.track == Track::Stable);
    let release = arm.and_then(|arm| loaded.releases.get(&arm.release));
    release.map_or_else(|| Spec::default().proxy, |release| release.spec.proxy.clone())
}

/// The hosts an app answers to, in lower case.
pub(super) fn hosts(loaded: &Loaded) -> impl Iterator<Item = String> {
    reached(loaded).hosts.into_iter().map(|host| host.to_ascii_lowercase())
}

/// A canary that runs and has no share, as an arm without a weight: nobody is sent there, but whoever
/// knows the app's secret looks at it. An instance that does not serve just now stays where it was
/// (`before`): whoever looks should see that.
fn shown(app: &App, seen: &Seen, before: Option<&Arm>) -> Option<Arm> {
    let arms = &app.route.arms;
    let is_routed = arms.iter().any(|arm| arm.track == Track::Canary);
    let release = app.rollout.as_ref().filter(|it| it.phase.runs())?.release;
    if is_routed || arms.is_empty() {
        return None;
    }
    let addr = |it: &Instance| match seen.instances.get(&it.id) {
        Some(status) if seen.serves(it) => status.addr,
        Some(_) | None => {
            let mut targets = before.iter().flat_map(|arm| &arm.targets);
            targets.find(|target| target.instance == it.id).map(|target| target.addr)
        }
    };
    let is_its =
        |it: &&Instance| (it.track, it.release, it.goal) == (Track::Canary, release, Goal::Run);
    let instances = app.instances.iter().filter(is_its);
    let mut targets: Vec<Target> = Vec::new();
    for target in
        instances.filter_map(|it| Some(Target { instance: it.id.clone(), addr: addr(it)? }))
    {
        // Where another one stands, it is no more.
        let mut others = arms.iter().flat_map(|arm| &arm.targets).chain(&targets);
        if others.all(|it| it.instance != target.instance && it.addr != target.addr) {
            targets.push(target);
        }
    }
    let arm = Arm { track: Track::Canary, release, weight: 0, targets };
    (!arm.targets.is_empty()).then_some(arm)
}

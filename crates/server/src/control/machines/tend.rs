//! The loop for machines: seen, decided, written, and then done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toehold_core::machines::{Limits, Need, Sight, Yard, decide, to_configure};
use toehold_core::model::{Goal, InstanceId, Machine, MachineName, MachinePhase};
use toehold_host::digest;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use super::configure;
use crate::control::apps::Apps;
use crate::control::{Control, ControlError};
use crate::provider::bring::PROGRAM;
use crate::secret::random_bytes;
use crate::store::Rev;

/// How often is looked where nothing calls for it.
const LOOK: Duration = Duration::from_secs(1);

/// How many new names a decision is given: more machines at once are made at the next look.
const NAMES: usize = 8;

/// Runs until shutdown.
pub(in crate::control) async fn run(control: Arc<Control>) {
    match digest::of_file(Path::new(PROGRAM)).await {
        Ok(own) => control.machines().upgrades.own = Some(own),
        Err(error) => warn!(%error, "agents of another version are not replaced"),
    }
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = control.shutdown.cancelled() => return,
            () = control.wake_machines.notified() => {}
            _ = tick.tick() => {}
        }
        if let Err(error) = control.tend_machines().await {
            warn!(%error, "machines could not be looked after; it is tried again");
        }
    }
}

impl Control {
    async fn tend_machines(&self) -> Result<(), ControlError> {
        let (needs, cut_off, playbooks) = {
            let apps = self.apps.lock().await;
            self.machines().count(apps.by_name.values().map(|it| &it.app));
            (needs(&apps), self.cut_off(&apps), configure::playbooks(&apps))
        };
        self.ask_providers(&needs);
        let (mut verdict, due, revs) = {
            let now = self.clock().now();
            let limits = self.limits();
            let agents = self.parts.fleet.agents();
            let mut known = self.machines();
            known.note_empty(now);
            let machines: BTreeMap<MachineName, Machine> =
                known.by_name.iter().map(|(name, it)| (name.clone(), it.machine.clone())).collect();
            let revs: BTreeMap<MachineName, Rev> =
                known.by_name.iter().map(|(name, it)| (name.clone(), it.rev)).collect();
            if machines.is_empty() && needs.is_empty() {
                return Ok(());
            }
            let sights: BTreeMap<MachineName, Sight> = machines
                .keys()
                .map(|name| {
                    let is_cut_off = cut_off.contains(name);
                    let sight = known.sight(name, agents.get(name).map(Arc::as_ref), now);
                    (name.clone(), Sight { is_cut_off, ..sight })
                })
                .collect();
            let fresh = fresh_names();
            let yard = Yard {
                machines: &machines,
                sights: &sights,
                given: &known.given,
                refused: &known.refused,
                needs: &needs,
                playbooks: &playbooks,
                limits: &limits,
                fresh: &fresh,
                now,
            };
            (decide(yard), to_configure(yard), revs)
        };
        let troubles = self.machines().asked.troubles.clone();
        self.say_held(std::mem::take(&mut verdict.held), troubles).await;
        for step in verdict.steps {
            let rev = revs.get(&step.machine.name).copied().unwrap_or(Rev::NONE);
            // Where somebody changed it meanwhile, the next look decides anew.
            self.carry_out_machine(rev, step).await?;
        }
        self.act_on_machines();
        self.configure_machines(playbooks, &due);
        Ok(())
    }

    fn limits(&self) -> Limits {
        let settings = &self.settings().machines;
        let size = settings.digitalocean.as_ref().map(|it| it.size.clone());
        Limits {
            machines: settings.most,
            hourly: settings.most_per_hour,
            prices: self.machines().asked.prices.clone(),
            size: size.unwrap_or_default(),
            idle: settings.idle.0,
            deadline: settings.deadline.0,
        }
    }

    /// The machines on which the proxy reaches nothing of what it routes to.
    fn cut_off(&self, apps: &Apps) -> BTreeSet<MachineName> {
        let Some(report) = self.parts.fleet.proxy().map(|seen| seen.report) else {
            return BTreeSet::new();
        };
        let aside: BTreeSet<InstanceId> = report
            .instances
            .into_iter()
            .filter(|it| it.set_aside.is_some() && !it.reached)
            .map(|it| it.instance)
            .collect();
        let mut all: BTreeMap<MachineName, bool> =
            self.machines().names().map(|name| (name, true)).collect();
        for app in apps.by_name.values().map(|it| &it.app) {
            let routed = app.route.arms.iter().flat_map(|arm| &arm.targets);
            for target in routed.filter(|target| !aside.contains(&target.instance)) {
                let instance = app.instances.iter().find(|it| it.id == target.instance);
                if let Some(place) = instance.and_then(|it| it.place.as_ref()) {
                    all.insert(place.machine.clone(), false);
                }
            }
        }
        all.into_iter().filter_map(|(machine, is_cut)| is_cut.then_some(machine)).collect()
    }
}

impl super::Machines {
    /// Since when each machine has had no instance.
    fn note_empty(&mut self, now: toehold_core::time::Timestamp) {
        let names: Vec<MachineName> = self.by_name.keys().cloned().collect();
        for name in names {
            let is_up =
                self.by_name.get(&name).is_some_and(|it| it.machine.phase == MachinePhase::Ready);
            if is_up && self.instances(&name) == 0 {
                self.empty_since.entry(name).or_insert(now);
            } else {
                self.empty_since.remove(&name);
            }
        }
    }
}

/// The apps that have instances without a machine.
fn needs(apps: &Apps) -> Vec<Need> {
    let mut needs = Vec::new();
    for loaded in apps.by_name.values() {
        let waits =
            loaded.app.instances.iter().filter(|it| it.goal == Goal::Run && it.place.is_none());
        let mut waiting = 0;
        let mut of = None;
        for instance in waits {
            waiting += 1;
            of = of.or_else(|| loaded.releases.get(&instance.release)).or(of);
        }
        if let Some(release) = of {
            let spec = &release.spec.machines;
            let (provider, size) = (spec.provider, spec.size.clone());
            needs.push(Need { app: loaded.app.name.clone(), provider, size, waiting });
        }
    }
    needs
}

/// Endings for new names: short, and never the same twice.
fn fresh_names() -> Vec<String> {
    (0..NAMES).map(|_| hex::encode(random_bytes::<4>())).collect()
}

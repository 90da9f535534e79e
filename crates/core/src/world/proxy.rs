//! The pretend proxy and its visitors.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::Dice;
use super::process::Process;
use super::{Luck, Nature, World};
use crate::model::{Arm, Goal, Instance, InstanceId, Route};
use crate::situation::ProxySeen;

/// After so many good steps in a row a visitor who is turned away was turned away by a decision.
const SETTLED: u32 = 30;

/// So many visitors in a row may find the wrong door until it is seen and the proxy is told.
const PATIENCE: u32 = 12;

/// The proxy: the route in force, one that is on its way, and what is in flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxy {
    pub(super) applied: Route,
    coming: Option<(u32, Route)>,
    /// Steps until it is back; 0 while it is up.
    pub(super) away: u32,
    /// Steps until each request in flight is through.
    in_flight: BTreeMap<InstanceId, Vec<u32>>,
    set_aside: BTreeSet<InstanceId>,
}

impl Proxy {
    /// Lets a step pass. `route` is what the control plane says, where it is there to say it.
    pub(super) fn step(&mut self, dice: &mut Dice, luck: Luck, route: Option<&Route>) {
        if self.away > 0 {
            self.away -= 1;
            // It was killed: what was in flight is lost with it, the route is on its disk.
            self.in_flight.clear();
            self.set_aside.clear();
            self.coming = None;
            return;
        }
        for left in self.in_flight.values_mut() {
            left.retain(|left| *left > 0);
            for left in left {
                *left = if luck == Luck::Bad { *left - 1 } else { *left / 2 };
            }
        }
        if let Some(route) = route.filter(|route| route.rev > self.applied.rev) {
            let is_known = self.coming.as_ref().is_some_and(|(_, coming)| coming.rev == route.rev);
            if !is_known {
                let late = if luck == Luck::Bad { dice.below(4) } else { 0 };
                self.coming = Some((late, route.clone()));
            }
        }
        match self.coming.take() {
            Some((0, route)) => self.applied = route,
            Some((late, route)) => self.coming = Some((late - 1, route)),
            None => {}
        }
        if luck == Luck::Bad && dice.chance(3) {
            let targets: Vec<_> = self.applied.arms.iter().flat_map(|arm| &arm.targets).collect();
            if let Some(target) = dice.pick(&targets) {
                self.set_aside.insert(target.instance.clone());
            }
        } else if dice.chance(30) {
            self.set_aside.clear();
        }
    }

    /// What it says; `None` while it is away.
    pub(super) fn seen(&self) -> Option<ProxySeen> {
        (self.away == 0).then(|| ProxySeen {
            applied_rev: self.applied.rev,
            in_flight: self.in_flight.keys().map(|id| (id.clone(), self.in_flight(id))).collect(),
            set_aside: self.set_aside.clone(),
        })
    }

    pub(super) fn in_flight(&self, id: &InstanceId) -> u64 {
        self.in_flight.get(id).map_or(0, |left| u64::try_from(left.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn routes_to(&self, id: &InstanceId) -> bool {
        let mut targets = self.applied.arms.iter().flat_map(|arm| &arm.targets);
        targets.any(|target| target.instance == *id)
    }

    fn draw<'a>(&'a self, dice: &mut Dice) -> Option<(&'a Arm, &'a InstanceId)> {
        let total: u32 = self.applied.arms.iter().map(|arm| arm.weight).sum();
        let mut drawn = dice.below(total);
        let arm = self.applied.arms.iter().find(|arm| {
            let is_it = drawn < arm.weight;
            drawn = drawn.saturating_sub(arm.weight);
            is_it
        })?;
        let sound: Vec<_> =
            arm.targets.iter().filter(|it| !self.set_aside.contains(&it.instance)).collect();
        let from = if sound.is_empty() { arm.targets.iter().collect() } else { sound };
        dice.pick(&from).map(|target| (arm, &target.instance))
    }
}

impl World {
    /// A few visitors come by.
    pub(super) fn visit(&mut self, luck: Luck) {
        if self.proxy.away > 0 || self.proxy.applied.arms.is_empty() {
            return;
        }
        let before = self.turned_away;
        for _ in 0..4 {
            let Some((_, id)) = self.proxy.draw(&mut self.dice) else { continue };
            let id = id.clone();
            self.visitors += 1;
            let takes = match luck {
                Luck::Bad if self.dice.chance(3) => 40,
                Luck::Bad | Luck::Good | Luck::Plain => self.dice.below(4),
            };
            self.proxy.in_flight.entry(id.clone()).or_default().push(takes);
            self.judge_answer(&id);
        }
        if self.turned_away == before {
            self.turned_away = 0;
        }
        self.use_cpu();
    }

    /// In calm times a visitor is not sent to one that does not answer for long, while another of the
    /// same release would.
    fn judge_answer(&mut self, id: &InstanceId) {
        let answers = |id| self.machine.processes.get(id).is_some_and(Process::answers);
        let twin = |it: &&Instance| it.id == *id;
        let Some(sent_to) = self.app.instances.iter().find(twin) else { return };
        let could = self.app.instances.iter().any(|it| {
            it.goal == Goal::Run
                && (it.track, it.release) == (sent_to.track, sent_to.release)
                && answers(&it.id)
        });
        if answers(id) || !could || self.calm < SETTLED {
            return;
        }
        self.turned_away += 1;
        if self.turned_away > PATIENCE {
            self.fault(format!("visitors are sent to {}, which does not answer", id.short()));
        }
    }

    /// What each process uses follows from who gets how much.
    fn use_cpu(&mut self) {
        let total: u32 = self.proxy.applied.arms.iter().map(|arm| arm.weight).sum();
        for process in self.machine.processes.values_mut() {
            process.cpu_percent = 4.0;
        }
        for arm in &self.proxy.applied.arms {
            let share = f64::from(arm.weight) / f64::from(total.max(1));
            let each = f64::from(u32::try_from(arm.targets.len()).unwrap_or(1).max(1));
            for target in &arm.targets {
                let Some(process) = self.machine.processes.get_mut(&target.instance) else {
                    continue;
                };
                let burns = self.natures.get(&process.release) == Some(&Nature::Burns);
                let used = self.load_percent * share / each + 4.0;
                let cpu = if burns && arm.weight > 0 { 95.0 } else { used };
                process.cpu_percent = cpu.min(100.0);
            }
        }
    }
}

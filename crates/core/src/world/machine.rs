//! The pretend machine and the agent on it.

use std::collections::BTreeMap;

use super::dice::Dice;
use super::process::{Life, Process};
use super::{Luck, Nature};
use crate::model::{Goal, Instance, InstanceId, InstanceStatus, Number};
use crate::time::Timestamp;

/// The machine: processes, and what the agent was last told about them.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    pub(super) processes: BTreeMap<InstanceId, Process>,
    placed: Vec<Instance>,
    /// Steps until the agent is heard again; 0 while it is.
    pub(super) silent: u32,
    /// Steps until the agent tells the truth again; 0 while it does.
    pub(super) lies: u32,
}

impl Machine {
    /// Lets a step pass. `placed` is what the control plane says, where it is there to say it.
    pub(super) fn step(
        &mut self,
        dice: &mut Dice,
        luck: Luck,
        natures: &BTreeMap<Number, Nature>,
        placed: Option<&[Instance]>,
        now: Timestamp,
    ) {
        self.silent = self.silent.saturating_sub(1);
        self.lies = self.lies.saturating_sub(1);
        if let Some(placed) = placed.filter(|_| self.silent == 0) {
            self.placed = placed.to_vec();
        }
        for instance in &self.placed {
            let is_new = !self.processes.contains_key(&instance.id);
            match instance.goal {
                Goal::Run | Goal::Drain { .. } if is_new => {
                    let process = Process::new(instance, dice, luck);
                    self.processes.insert(instance.id.clone(), process);
                }
                Goal::Run | Goal::Drain { .. } => {}
                Goal::Stop => {
                    if let Some(process) = self.processes.get_mut(&instance.id) {
                        process.stop(dice);
                    }
                }
            }
        }
        self.end_the_unplaced(dice);
        for process in self.processes.values_mut() {
            let nature = natures.get(&process.release).copied().unwrap_or(Nature::Sound);
            process.step(nature, dice, luck, now);
        }
    }

    /// What is not placed ends, and is gone when it has.
    fn end_the_unplaced(&mut self, dice: &mut Dice) {
        let placed = &self.placed;
        let is_placed = |id: &InstanceId| placed.iter().any(|instance| instance.id == *id);
        for (id, process) in &mut self.processes {
            if !is_placed(id) {
                process.stop(dice);
            }
        }
        self.processes.retain(|id, process| is_placed(id) || process.life != Life::Stopped);
    }

    /// What the agent says; `None` while it is silent.
    pub(super) fn report(
        &self,
        dice: &mut Dice,
        now: Timestamp,
    ) -> Option<BTreeMap<InstanceId, InstanceStatus>> {
        if self.silent > 0 {
            return None;
        }
        let mut said: BTreeMap<_, _> =
            self.processes.iter().map(|(id, process)| (id.clone(), process.status(now))).collect();
        if self.lies > 0 {
            for status in said.values_mut() {
                lie(status, dice);
            }
        }
        Some(said)
    }
}

fn lie(status: &mut InstanceStatus, dice: &mut Dice) {
    match dice.below(8) {
        0 => status.release = Number(status.release.0 + 1),
        1 => status.healthy = false,
        2 => status.healthy = status.run.is_some(),
        3 => status.reading = None,
        4 => {
            if let Some(reading) = status.reading.as_mut() {
                reading.cpu_percent = f64::NAN;
            }
        }
        5 => status.addr = None,
        _ => {}
    }
}

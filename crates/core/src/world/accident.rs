//! What goes wrong in the pretend world.

use super::World;
use super::process::Life;
use crate::model::InstanceId;

impl World {
    /// Something happens: somebody acts, or something breaks, or nothing.
    pub fn trouble(&mut self) {
        match self.dice.below(20) {
            0..=4 => self.somebody_acts(),
            6 => self.crash_any(),
            8 => {
                let steps = self.dice.between(1, 30);
                self.silence(steps);
            }
            9 => {
                let steps = self.dice.between(1, 15);
                self.kill_proxy(steps);
            }
            10 => {
                let steps = self.dice.between(0, 8);
                self.kill_control(steps);
            }
            11 if self.dice.chance(30) => self.set_clock(),
            12 if self.dice.chance(40) => self.lie(),
            13 if self.dice.chance(20) => self.break_any(),
            _ => {}
        }
    }

    /// A process of the app dies.
    pub fn crash(&mut self, id: &InstanceId) {
        self.tell(format!("{} is killed", id.short()));
        let now = super::true_time(self.steps);
        if let Some(process) = self.machine.processes.get_mut(id) {
            process.die("killed by SIGKILL", &mut self.dice, now);
        }
    }

    /// The agent is not heard for so many steps; what it supervises goes on.
    pub fn silence(&mut self, steps: u32) {
        self.tell(format!("the agent is silent for {steps} s"));
        self.machine.silent = self.machine.silent.max(steps);
    }

    /// The proxy is killed, and back after so many steps with the route it had.
    pub fn kill_proxy(&mut self, steps: u32) {
        self.tell(format!("the proxy is killed for {steps} s"));
        self.proxy.away = steps;
    }

    /// The control plane is killed, and back after so many steps with nothing in its memory.
    pub fn restart_control(&mut self, steps: u32) {
        self.kill_control(steps);
    }

    fn crash_any(&mut self) {
        if let Some(id) = self.any_process() {
            self.crash(&id);
        }
    }

    /// An instance can never be started again on its machine.
    fn break_any(&mut self) {
        if let Some(id) = self.any_process()
            && let Some(process) = self.machine.processes.get_mut(&id)
            && matches!(process.life, Life::Up | Life::Waking(_) | Life::Backoff(_))
        {
            process.life = Life::Failed;
            self.tell(format!("{} cannot be started any more", id.short()));
        }
    }

    fn any_process(&mut self) -> Option<InstanceId> {
        let ids: Vec<InstanceId> = self.machine.processes.keys().cloned().collect();
        self.dice.pick(&ids).cloned()
    }

    fn lie(&mut self) {
        let steps = self.dice.between(1, 6);
        self.tell(format!("the agent lies for {steps} s"));
        self.machine.lies = steps;
    }

    fn set_clock(&mut self) {
        let hours = i64::from(self.dice.below(4)) - 2;
        let ms = i64::from(self.dice.below(3_600_000));
        self.clock_off_ms = hours * 3_600_000 + ms;
        self.tell(format!("the clock is set to {}", self.now()));
    }

    /// What a bad step brings by itself.
    pub(super) fn misfortune(&mut self) {
        if self.dice.chance(2) {
            self.crash_any();
        }
    }

    /// What a good step mends.
    pub(super) fn mend(&mut self) {
        self.machine.silent = 0;
        self.machine.lies = 0;
        self.machine.processes.values_mut().for_each(super::process::Process::hurry);
        self.proxy.away = 0;
        self.control_away = self.control_away.min(1);
    }
}

//! One process on the pretend machine.

use std::net::{Ipv4Addr, SocketAddr};

use super::dice::Dice;
use super::{Luck, Nature};
use crate::model::{
    Evidence, Exit, Instance, InstancePhase, InstanceStatus, Number, Reading, RunId,
};
use crate::time::Timestamp;

/// How far a process is; the numbers are steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Life {
    /// Unpacked, or the process begins.
    Starting(u32),
    /// It runs and does not answer yet.
    Waking(u32),
    /// It answers.
    Up,
    /// It died and is started again.
    Backoff(u32),
    /// It was told to end.
    Stopping(u32),
    /// It ended.
    Stopped,
    /// It cannot be started.
    Failed,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) release: Number,
    pub(super) life: Life,
    pub(super) cpu_percent: f64,
    instance: Instance,
    restarts: u32,
    started_at: Option<Timestamp>,
    healthy_since: Option<Timestamp>,
    exit: Option<Exit>,
}

impl Process {
    pub(super) fn new(instance: &Instance, dice: &mut Dice, luck: Luck) -> Self {
        Self {
            release: instance.release,
            life: Life::Starting(slow(dice, luck)),
            cpu_percent: 5.0,
            instance: instance.clone(),
            restarts: 0,
            started_at: None,
            healthy_since: None,
            exit: None,
        }
    }

    /// Whether a request that comes now is answered.
    pub(super) fn answers(&self) -> bool {
        matches!(self.life, Life::Up | Life::Stopping(_))
    }

    /// Nothing takes longer any more than it has to.
    pub(super) fn hurry(&mut self) {
        match &mut self.life {
            Life::Starting(left) | Life::Waking(left) | Life::Backoff(left) => *left = 3.min(*left),
            Life::Up | Life::Stopping(_) | Life::Stopped | Life::Failed => {}
        }
    }

    /// Lets a step pass.
    pub(super) fn step(&mut self, nature: Nature, dice: &mut Dice, luck: Luck, now: Timestamp) {
        self.life = match (self.life.clone(), nature) {
            (Life::Starting(0), Nature::Unstartable) => Life::Failed,
            (Life::Starting(0), _) => {
                self.started_at = Some(now);
                Life::Waking(slow(dice, luck))
            }
            (Life::Waking(_), Nature::Dies) => return self.die("exit code 1", dice, now),
            (Life::Waking(_), Nature::Sick) => Life::Waking(1),
            (Life::Waking(0), _) => {
                self.healthy_since = Some(now);
                Life::Up
            }
            (Life::Backoff(0), _) => {
                self.restarts += 1;
                Life::Starting(0)
            }
            (Life::Stopping(0), _) => {
                self.exit = Some(Exit { at: now, how: "killed by SIGTERM".into() });
                Life::Stopped
            }
            (Life::Starting(left), _) => Life::Starting(left - 1),
            (Life::Waking(left), _) => Life::Waking(left - 1),
            (Life::Backoff(left), _) => Life::Backoff(left - 1),
            (Life::Stopping(left), _) => Life::Stopping(left - 1),
            (done @ (Life::Up | Life::Stopped | Life::Failed), _) => done,
        };
    }

    pub(super) fn die(&mut self, how: &str, dice: &mut Dice, now: Timestamp) {
        if matches!(self.life, Life::Waking(_) | Life::Up) {
            self.exit = Some(Exit { at: now, how: how.into() });
            self.healthy_since = None;
            self.life = Life::Backoff(dice.between(1, 3));
        }
    }

    pub(super) fn stop(&mut self, dice: &mut Dice) {
        match self.life {
            Life::Stopping(_) | Life::Stopped => {}
            Life::Waking(_) | Life::Up => self.life = Life::Stopping(dice.below(3)),
            Life::Starting(_) | Life::Backoff(_) | Life::Failed => self.life = Life::Stopped,
        }
    }

    /// What the agent says of it.
    pub(super) fn status(&self, now: Timestamp) -> InstanceStatus {
        let ordinal = self.instance.id.ordinal();
        let port = 20_000 + u16::try_from(ordinal % 40_000).unwrap_or(0);
        let runs = matches!(self.life, Life::Waking(_) | Life::Up | Life::Stopping(_));
        let passed = self.life == Life::Up;
        let pid = u32::try_from(ordinal).unwrap_or(0);
        InstanceStatus {
            id: self.instance.id.clone(),
            release: self.release,
            phase: self.phase(now),
            addr: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            run: runs.then_some(RunId { pid, start_ticks: u64::from(self.restarts) }),
            healthy: passed,
            healthy_since: self.healthy_since,
            started_at: self.started_at,
            restarts: self.restarts,
            last_exit: self.exit.clone(),
            evidence: runs.then(|| Evidence {
                at: now,
                asked: format!("GET / on 127.0.0.1:{port}"),
                answer: if passed { "200".into() } else { "503".into() },
                took_ms: 1,
                body: String::new(),
                passed,
            }),
            reading: runs.then_some(Reading {
                at: now,
                cpu_percent: self.cpu_percent,
                memory_percent: 20.0,
                memory_bytes: 1 << 26,
            }),
        }
    }

    fn phase(&self, now: Timestamp) -> InstancePhase {
        match self.life {
            Life::Starting(_) => InstancePhase::Starting,
            Life::Waking(_) | Life::Up => InstancePhase::Running,
            Life::Backoff(_) => InstancePhase::Backoff { until: now },
            Life::Stopping(_) => InstancePhase::Stopping,
            Life::Stopped => InstancePhase::Stopped,
            Life::Failed => InstancePhase::Failed { why: "there is no such program".into() },
        }
    }
}

/// How many steps a start takes.
fn slow(dice: &mut Dice, luck: Luck) -> u32 {
    match luck {
        Luck::Good | Luck::Plain => 1,
        Luck::Bad if dice.chance(5) => dice.between(20, 80),
        Luck::Bad => dice.between(0, 6),
    }
}

//! Instances: what is wished of each, and what its machine says of it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, MachineName, Number, Track};
use crate::time::Timestamp;

/// One copy of a release that exists or should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Which.
    pub id: InstanceId,
    /// The release it runs; that never changes.
    pub release: Number,
    /// The track it was made for.
    pub track: Track,
    /// What is wished of it.
    pub goal: Goal,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Where it runs; `None` while no machine was found for it.
    #[serde(default = "Place::before_there_were_others")]
    pub place: Option<Place>,
}

/// Where an instance runs; that never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The machine.
    pub machine: MachineName,
    /// Since when it is to run there.
    pub since: Timestamp,
}

impl Place {
    /// Documents of before there was more than one machine do not name it.
    #[expect(clippy::unnecessary_wraps, reason = "it stands in for a field that is an option")]
    fn before_there_were_others() -> Option<Self> {
        Some(Self { machine: MachineName::local(), since: Timestamp::default() })
    }
}

/// What is wished of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "snake_case")]
pub enum Goal {
    /// It should run, and be started again when it dies.
    Run,
    /// It gets no new requests; it runs until those in flight are through, at the longest until
    /// the deadline.
    Drain {
        /// When it is stopped all the same.
        until: Timestamp,
    },
    /// It should end: SIGTERM, its grace, SIGKILL.
    Stop,
}

/// One start of an instance: a process known by its id and the tick it started at, so that another
/// process that got the same id later is never taken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot at which it started.
    pub start_ticks: u64,
}

/// What an agent says of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Which.
    pub id: InstanceId,
    /// The release whose bytes it runs.
    pub release: Number,
    /// How it is.
    pub phase: InstancePhase,
    /// Where it listens, once it was given a port.
    pub addr: Option<SocketAddr>,
    /// Its process, while it has one.
    pub run: Option<RunId>,
    /// Whether its health check says yes; an instance is never routed to before.
    pub healthy: bool,
    /// When it first was healthy in this run, for its age and its start-up time.
    pub healthy_since: Option<Timestamp>,
    /// When this run was started.
    pub started_at: Option<Timestamp>,
    /// How often it was started again because it had died.
    pub restarts: u32,
    /// How the last run ended.
    pub last_exit: Option<Exit>,
    /// The last probe.
    pub evidence: Option<Evidence>,
    /// The last reading of what it uses.
    pub reading: Option<Reading>,
}

impl InstanceStatus {
    /// Whether it is as it was, whatever it uses and whenever it was probed last.
    #[must_use]
    pub fn is_same(&self, before: &Self) -> bool {
        // A field that comes has its place here, too.
        let Self {
            id,
            release,
            phase,
            addr,
            run,
            healthy,
            healthy_since,
            started_at,
            restarts,
            last_exit,
            evidence: _,
            reading: _,
        } = self;
        *id == before.id
            && *release == before.release
            && *phase == before.phase
            && *addr == before.addr
            && *run == before.run
            && *healthy == before.healthy
            && *healthy_since == before.healthy_since
            && *started_at == before.started_at
            && *restarts == before.restarts
            && *last_exit == before.last_exit
    }

    /// How often it has died: each restart was a death, and so is what waits for the next one.
    #[must_use]
    pub const fn deaths(&self) -> u32 {
        let is_down =
            matches!(self.phase, InstancePhase::Backoff { .. } | InstancePhase::Failed { .. });
        self.restarts.saturating_add(is_down as u32)
    }
}

/// How an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum InstancePhase {
    /// Its artifact is unpacked or its process has just begun.
    Starting,
    /// Its process runs.
    Running,
    /// It died and is started again at this time.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// It was asked to end.
    Stopping,
    /// It ended as it should.
    Stopped,
    /// It cannot be started at all: a bad artifact, a missing program.
    Failed {
        /// Why, with what to do.
        why: String,
    },
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// When it was noticed.
    pub at: Timestamp,
    /// In words: `exit code 1`, `killed by SIGKILL (out of memory)`, `ended while no agent watched`.
    pub how: String,
}

/// What a probe saw, kept so that a failing health check can be understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// When it was made.
    pub at: Timestamp,
    /// What was asked: `GET / on 127.0.0.1:41003`.
    pub asked: String,
    /// What came: `200`, `301 to https://…`, `refused`, `no answer within 2 s`.
    pub answer: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The first bytes of the body, made safe to show.
    pub body: String,
    /// Whether it counts as healthy.
    pub passed: bool,
}

/// What the process tree of an instance used, over the time since the reading before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When it was taken.
    pub at: Timestamp,
    /// CPU as a percentage of the instance's allotment (`[run] cpus`): 100 is all of it.
    pub cpu_percent: f64,
    /// Memory as a percentage of the instance's allotment (`[run] memory`).
    pub memory_percent: f64,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

//! Between control plane and agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    Digest, Goal, HealthCheck, InstanceId, InstanceStatus, MachineName, Number, Track,
};
use crate::time::Timestamp;
use crate::wire::Order;
use crate::wire::call::Certificate;

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum FromAgent {
    /// The first message of a link.
    Hello {
        /// Which machine.
        machine: MachineName,
        /// The agent's version.
        version: String,
        /// The SHA-256 of its program; agents of an earlier time do not say it.
        #[serde(default)]
        program: Option<Digest>,
    },
    /// How everything is: at each change, and each second.
    Report(Report),
    /// The answer to [`ToAgent::ReadLog`].
    Log {
        /// The question's number.
        request: u64,
        /// The piece, or why there is none.
        piece: Result<LogPiece, String>,
    },
    /// The certificate of this machine ends before long: it asks for another one.
    Renew {
        /// The public key it is to be for: an uncompressed point of P-256, base64.
        public_key: String,
    },
}

/// How everything on a machine is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The machine's clock.
    pub at: Timestamp,
    /// The last placement that was accepted.
    pub applied: Order,
    /// Every instance the agent knows, placed or still ending.
    pub instances: Vec<InstanceStatus>,
    /// The machine itself.
    pub machine: MachineReading,
}

impl Report {
    /// Whether it says more than that everything was measured and probed again.
    #[must_use]
    pub fn says_anew(&self, before: &Self) -> bool {
        let same = |(now, before): (&InstanceStatus, &InstanceStatus)| now.is_same(before);
        self.applied != before.applied
            || self.instances.len() != before.instances.len()
            || !self.instances.iter().zip(&before.instances).all(same)
    }
}

/// What a machine has and uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineReading {
    /// Cores.
    pub cpus: f64,
    /// CPU in use, in percent of all cores.
    pub cpu_percent: f64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Memory in use, in percent.
    pub memory_percent: f64,
    /// Free bytes where instances are unpacked.
    pub disk_free_bytes: u64,
}

/// What the control plane says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToAgent {
    /// All that should run on this machine.
    Place(Placement),
    /// A piece of an instance's log is wanted.
    ReadLog {
        /// Comes back with the answer.
        request: u64,
        /// Whose.
        instance: InstanceId,
        /// From where.
        from: LogFrom,
        /// At most so many bytes.
        max_bytes: u64,
    },
    /// The answer to [`FromAgent::Renew`].
    Certificate(Certificate),
}

/// All that should run on a machine. What is not in it ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// Its place in the order of plans.
    pub order: Order,
    /// Every instance.
    pub instances: Vec<Placed>,
}

/// One instance to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Which.
    pub id: InstanceId,
    /// Its release.
    pub release: Number,
    /// Its track.
    pub track: Track,
    /// What is wished of it.
    pub goal: Goal,
    /// The artifact's digest, checked before it is unpacked.
    pub artifact: Digest,
    /// Where the artifact lies on this machine; `None` where it has to be fetched over the link.
    pub artifact_path: Option<String>,
    /// The address its machine is reached at by the proxy: there, and nowhere else, it listens.
    pub listen: IpAddr,
    /// Starts the app.
    pub command: String,
    /// Runs once for the release before its first instance starts, on the machine of that
    /// instance; `None` where the app has none.
    pub release_command: Option<String>,
    /// Its environment, beside `PORT`, `RELEASE`, `TRACK`, `INSTANCE` and what the agent adds.
    pub env: BTreeMap<String, String>,
    /// Which of them are secrets: nothing that is said of the instance has their values.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// The folder all instances of the app on this machine share, `TOEHOLD_DATA`; `None`: one in
    /// the agent's own folder.
    pub data_dir: Option<String>,
    /// Its allotment of CPU, in cores.
    pub cpus: f64,
    /// Its allotment of memory, in bytes.
    pub memory_bytes: u64,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// How its health is seen.
    pub health: HealthCheck,
}

impl Placed {
    /// A text of the app's own with its secrets taken out. Values so short that they would take
    /// half the text with them stay.
    #[must_use]
    pub fn without_secrets(&self, text: &str) -> String {
        let values = self.secrets.iter().filter_map(|name| self.env.get(name));
        let mut values: Vec<&String> =
            values.filter(|it| it.len() >= Self::SHORTEST_SECRET).collect();
        // One may be the beginning of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.into_iter().fold(text.to_owned(), |text, value| text.replace(value, "***"))
    }

    /// The shortest value that is taken for a secret, in bytes.
    pub const SHORTEST_SECRET: usize = 6;
}

/// Where a piece of a log begins. Offsets only grow, also where the log was cut at its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", content = "at", rename_all = "snake_case")]
pub enum LogFrom {
    /// At this byte, or at the first that is still kept.
    Offset(u64),
    /// At what was written at this time or later, to the second.
    Since(Timestamp),
    /// So many bytes before the end, from the beginning of a line.
    Tail(u64),
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPiece {
    /// The offset of its first byte.
    pub start: u64,
    /// The offset after its last byte: where to go on.
    pub end: u64,
    /// The text; what is not UTF-8 is replaced.
    pub text: String,
    /// Whether more was there already when it was read.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Evidence, InstancePhase, Reading};

    fn report() -> Report {
        let status = InstanceStatus {
            id: "shop/web.1".parse().expect("an instance"),
            release: Number(1),
            phase: InstancePhase::Running,
            addr: None,
            run: None,
            healthy: true,
            healthy_since: None,
            started_at: None,
            restarts: 0,
            last_exit: None,
            evidence: None,
            reading: None,
        };
        Report {
            at: Timestamp::from_ms(1),
            applied: Order { epoch: 1, rev: 1 },
            instances: vec![status],
            machine: MachineReading::default(),
        }
    }

    #[test]
    fn what_was_measured_and_probed_again_is_nothing_new() {
        let before = report();
        let mut now = report();
        now.at = Timestamp::from_ms(2);
        now.machine.cpu_percent = 50.0;
        let at = now.at;
        now.instances[0].reading =
            Some(Reading { at, cpu_percent: 1.0, memory_percent: 1.0, memory_bytes: 1 });
        now.instances[0].evidence = Some(Evidence {
            at,
            asked: "true".to_owned(),
            answer: "exit code 0".to_owned(),
            took_ms: 1,
            body: String::new(),
            passed: true,
        });
        assert!(!now.says_anew(&before));
    }

    #[test]
    fn all_else_is_new() {
        let changes: [fn(&mut Report); 5] = [
            |it| it.applied.rev += 1,
            |it| it.instances.clear(),
            |it| it.instances[0].healthy = false,
            |it| it.instances[0].restarts += 1,
            |it| it.instances[0].phase = InstancePhase::Stopping,
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            let mut now = report();
            change(&mut now);
            assert!(now.says_anew(&report()), "change {nth}");
        }
    }
}

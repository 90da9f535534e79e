//! A process that runs.

use std::process::ExitStatus;
use std::time::Duration;

use toehold_core::health::{Health, HealthChange};
use toehold_core::model::{Evidence, Exit, HealthCheck, HealthKind};
use toehold_core::wire::agent::Placed;
use toehold_host::cgroup::Cgroup;
use toehold_host::process::{Tree, gone};
use tokio::process::Child;
use tokio::time::Instant;

use crate::probe::{Ask, listening_ports, probe};
use crate::sample::Measured;
use crate::supervise::exit;

/// Time between probes of one that was not healthy yet: at first, and later.
const EAGER: Duration = Duration::from_millis(100);
const PATIENT: Duration = Duration::from_millis(250);

/// After so long, a start is not quick any more.
const QUICK: Duration = Duration::from_secs(3);

/// How long a child that was ended may take to say how.
const REAP: Duration = Duration::from_secs(1);

/// How often is looked where it listens, while it does not answer.
const LOOK: Duration = Duration::from_secs(1);

/// A process that runs, and what its probes say.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) tree: Tree,
    /// `None` for one that an earlier agent started.
    child: Option<Child>,
    health: Health,
    /// Processes of its group that were ended for memory before it began.
    oom_kills: u64,
    since: Instant,
    /// It was healthy at some time of this run.
    proven: bool,
    probe_at: Instant,
    looked_at: Option<Instant>,
    elsewhere: Option<String>,
}

impl Live {
    pub(super) fn started(tree: Tree, child: Child, check: &HealthCheck, oom_kills: u64) -> Self {
        let health = Health::new(check);
        Self { child: Some(child), oom_kills, ..Self::adopted(tree, health) }
    }

    pub(super) fn adopted(tree: Tree, health: Health) -> Self {
        let now = Instant::now();
        let oom_kills = tree.cgroup().and_then(Cgroup::oom_kills).unwrap_or(0);
        Self {
            tree,
            child: None,
            health,
            oom_kills,
            since: now,
            proven: health.is_healthy(),
            probe_at: now,
            looked_at: None,
            elsewhere: None,
        }
    }

    /// For one that is only taken up to be stopped.
    pub(super) fn no_health() -> Health {
        let second = Duration::from_secs(1);
        Health::new(&HealthCheck {
            kind: HealthKind::Tcp,
            interval: second,
            timeout: second,
            deadline: second,
            rise: 1,
            fall: 1,
        })
    }

    /// The end of the process, and the next probe: whichever comes first. One that is dropped
    /// leaves nothing behind: the end can be waited for again, a probe in the middle is made anew,
    /// and a command it began is ended.
    pub(super) fn next<'a>(
        &'a mut self,
        ask: &'a Ask,
    ) -> (impl Future<Output = Option<ExitStatus>> + 'a, impl Future<Output = Evidence> + 'a) {
        let (at, run) = (self.probe_at, self.tree.leader());
        let child = &mut self.child;
        let ended = async move {
            if let Some(child) = child {
                return child.wait().await.ok();
            }
            gone(run).await;
            None
        };
        let probed = async move {
            tokio::time::sleep_until(at).await;
            probe(ask).await
        };
        (ended, probed)
    }

    /// Takes in a probe, and says when the next is due.
    pub(super) fn record(&mut self, placed: &Placed, seen: &Evidence) -> Option<HealthChange> {
        let change = self.health.record(seen.passed);
        self.proven |= self.health.is_healthy();
        let pause = match (self.proven, self.since.elapsed() < QUICK) {
            (true, _) => placed.health.interval,
            (false, true) => EAGER.min(placed.health.interval),
            (false, false) => PATIENT.min(placed.health.interval),
        };
        self.probe_at = Instant::now() + pause;
        change
    }

    /// `it listens on 3000`, where it listens, but not on `port`.
    pub(super) fn listens_elsewhere(&mut self, port: u16) -> Option<&str> {
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK) {
            self.looked_at = Some(Instant::now());
            let pids: Vec<u32> = self.tree.stats().iter().map(|it| it.run.pid).collect();
            let ports = listening_ports(&pids);
            let named: Vec<String> = ports.iter().map(u16::to_string).collect();
            self.elsewhere = (!ports.is_empty() && !ports.contains(&port))
                .then(|| format!("it listens on {}", named.join(", ")));
        }
        self.elsewhere.as_deref()
    }

    /// How it ended, the kernel's reason included.
    pub(super) fn exit(&self, status: Option<ExitStatus>, memory_bytes: u64) -> Exit {
        let kills = self.tree.cgroup().and_then(Cgroup::oom_kills).unwrap_or(0);
        exit::describe(status, (kills > self.oom_kills).then_some(memory_bytes))
    }

    /// Ends it; the tree comes back, to be looked at again.
    pub(super) async fn end(mut self, grace: Duration) -> (Tree, Option<ExitStatus>) {
        if let Err(error) = self.tree.end(grace).await {
            tracing::warn!(%error, "A process was asked to end, then killed, and is still there.");
        }
        // A child that has ended answers at once; one that hangs in the kernel does not.
        let status = match &mut self.child {
            Some(child) => tokio::time::timeout(REAP, child.wait()).await.ok().and_then(Result::ok),
            None => None,
        };
        (self.tree, status)
    }

    pub(super) fn measured(&self, placed: &Placed) -> Measured {
        Measured { tree: self.tree.clone(), cpus: placed.cpus, memory_bytes: placed.memory_bytes }
    }
}

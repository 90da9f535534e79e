//! Taking up what runs already.

use toehold_core::health::Health;
use toehold_core::model::{InstanceId, InstancePhase, InstanceStatus, Number, RunId};
use toehold_core::wire::agent::Placed;
use toehold_host::process::{Tree, is_alive, stat};

use crate::supervise::kept::Kept;
use crate::supervise::live::Live;
use crate::supervise::{Keeper, exit};

impl Keeper {
    /// A process that runs already is taken up: the one that was written down, or, where the agent
    /// ended between starting it and writing that down, the one that carries the mark and leads a
    /// session.
    pub(super) fn adopt(&mut self, placed: Option<&Placed>, marked: &[RunId]) {
        let written = self.kept.run.filter(|_| self.kept.boot == self.shop.boot);
        let alive = written.filter(|run| is_alive(*run));
        let leads = |run: &&RunId| stat(run.pid).is_some_and(|it| it.session == run.pid);
        let found = alive.or_else(|| {
            marked.iter().filter(leads).min_by_key(|run| (run.start_ticks, run.pid)).copied()
        });
        let Some(run) = found else {
            if self.kept.run.is_some() {
                self.ended_unseen();
            }
            return;
        };
        let tree = Tree::new(run, self.shop.marker(&self.id), self.kept.group.clone());
        let healthy = alive.is_some() && self.kept.healthy_since.is_some() && self.kept.healthy;
        let health = placed.map_or_else(Live::no_health, |it| Health::known(&it.health, healthy));
        self.kept.run = Some(run);
        if let Some(port) = self.kept.port {
            self.shop.holds_port(&self.id, port);
        }
        let live = Live::adopted(tree, health);
        self.measure(placed, &live);
        self.live = Some(live);
        self.status.run = Some(run);
        self.status.healthy = healthy;
        self.status.healthy_since = self.kept.healthy_since;
        self.status.phase = if healthy { InstancePhase::Running } else { InstancePhase::Starting };
        tracing::info!(instance.id = %self.id, process.pid = run.pid, "An instance that runs already was taken up.");
    }

    /// It ended while no agent watched: that counts as a death, and as nothing more.
    fn ended_unseen(&mut self) {
        self.rest(exit::unseen());
        self.kept.restarts = self.kept.restarts.saturating_add(1);
        self.status.restarts = self.kept.restarts;
    }
}

/// What is said of an instance before anything is known of its process.
pub(super) fn blank(id: InstanceId, release: Number, kept: &Kept) -> InstanceStatus {
    InstanceStatus {
        id,
        release,
        phase: InstancePhase::Starting,
        addr: kept.addr(),
        run: None,
        healthy: false,
        healthy_since: None,
        started_at: kept.started_at,
        restarts: kept.restarts,
        last_exit: kept.last_exit.clone(),
        evidence: None,
        reading: None,
    }
}

//! From running to ended.

use std::time::Duration;

use toehold_core::model::{Exit, InstancePhase, RunId};
use toehold_host::process::Tree;

use crate::supervise::{Keeper, exit};

/// How long killing something that does not die is left before it is tried again.
const RETRY_KILL: Duration = Duration::from_secs(5);

impl Keeper {
    /// Ends the instance: SIGTERM to all its processes, its grace, SIGKILL. Nothing to do where it
    /// has ended before.
    pub(super) async fn stop(&mut self, grace: Duration) {
        if let Some(live) = self.live.take() {
            self.status.phase = InstancePhase::Stopping;
            self.status.healthy = false;
            self.post();
            self.shop.journals.say(&self.id, "was asked to end");
            let (tree, status) = live.end(grace).await;
            let exit = exit::describe(status, None);
            self.shop.journals.say(&self.id, &format!("ended: {}", exit.how));
            self.rest(exit);
            self.kill(&tree).await;
        } else if self.status.phase == InstancePhase::Stopped {
            return;
        }
        self.sweep().await;
        if let Some(group) = self.kept.group.take()
            && let Err(error) = group.remove().await
        {
            tracing::warn!(instance.id = %self.id, %error, "The cgroup of an ended instance could not be removed.");
        }
        self.shop.free_port(&self.id);
        self.rest_until = None;
        self.status.phase = InstancePhase::Stopped;
        self.save();
        self.post();
    }

    /// Makes sure that nothing of an earlier run is left: it would hold the port, and count twice.
    pub(super) async fn sweep(&mut self) {
        let marker = self.shop.marker(&self.id);
        let nobody = RunId { pid: 0, start_ticks: u64::MAX };
        self.kill(&Tree::new(nobody, marker, self.kept.group.clone())).await;
    }

    /// Kills what is left of a tree, however long that takes: starting another beside it would be
    /// worse than waiting.
    pub(super) async fn kill(&self, tree: &Tree) {
        while let Err(error) = tree.kill().await {
            tracing::error!(instance.id = %self.id, %error, "Processes of an instance do not end.");
            tokio::time::sleep(RETRY_KILL).await;
        }
    }

    /// Nothing runs any more.
    pub(super) fn rest(&mut self, exit: Exit) {
        self.shop.unmeasure(&self.id);
        self.kept.run = None;
        self.kept.healthy = false;
        self.kept.healthy_since = None;
        self.kept.last_exit = Some(exit);
        self.status.run = None;
        self.status.healthy = false;
        self.status.healthy_since = None;
        self.status.started_at = None;
        self.status.reading = None;
        self.status.last_exit.clone_from(&self.kept.last_exit);
        self.save();
        self.post();
    }
}

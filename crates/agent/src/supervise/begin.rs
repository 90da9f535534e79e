//! From wished to running.

use std::time::Duration;

use toehold_core::model::InstancePhase;
use toehold_core::wire::agent::Placed;

use crate::supervise::kept::Ready;
use crate::supervise::launch::Fault;
use crate::supervise::{Keeper, changed, launch, not_run};
use crate::time::now;

/// How long something that cannot be started is left before it is tried again: a disk may have
/// space then, a program may have been installed.
const RETRY_FAILED: Duration = Duration::from_secs(30);

impl Keeper {
    pub(super) async fn start(&mut self, placed: &Placed) {
        if let Some(until) = self.rest_until {
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = changed(&mut self.wish) => return,
            }
        }
        self.rest_until = None;
        self.status.phase = InstancePhase::Starting;
        self.post();
        let prepared = tokio::select! {
            biased;
            () = not_run(&mut self.wish) => return,
            prepared = launch::prepare(&self.shop, placed, self.kept.port) => prepared,
        };
        match prepared {
            Ok(ready) => self.begin(placed, ready).await,
            Err(fault) => self.fail(fault).await,
        }
    }

    /// Starts the process. What must be known to find it again is on disk before it is.
    pub(super) async fn begin(&mut self, placed: &Placed, ready: Ready) {
        self.sweep().await;
        self.kept.intend(&self.shop, placed, &ready);
        self.save();
        let started = launch::start(&self.shop, placed, &ready, &mut self.kept);
        let live = match started {
            Ok(live) => live,
            Err(fault) => return self.fail(fault).await,
        };
        let run = live.tree.leader();
        self.kept.run = Some(run);
        self.kept.started_at = Some(now());
        self.save();
        self.status.run = Some(run);
        self.status.addr = self.kept.addr();
        self.status.started_at = self.kept.started_at;
        self.status.evidence = None;
        self.measure(Some(placed), &live);
        self.live = Some(live);
        let said = format!("started as process {} on port {}", run.pid, ready.port);
        self.shop.journals.say(&self.id, &said);
        tracing::info!(instance.id = %self.id, process.pid = run.pid, port = ready.port, "An instance was started.");
        self.post();
    }

    /// It cannot be started. That may change: it is tried again in a while, or when another wish
    /// comes.
    pub(super) async fn fail(&mut self, fault: Fault) {
        self.shop.journals.say(&self.id, &format!("cannot start: {}", fault.why));
        tracing::error!(instance.id = %self.id, "An instance cannot be started: {}", fault.why);
        self.status.phase = InstancePhase::Failed { why: fault.why };
        self.post();
        if fault.lasting {
            not_run(&mut self.wish).await;
        } else {
            tokio::select! {
                () = tokio::time::sleep(RETRY_FAILED) => {}
                () = not_run(&mut self.wish) => {}
            }
        }
    }
}

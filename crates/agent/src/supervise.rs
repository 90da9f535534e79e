//! One instance, kept as it is wished: started, probed, started again when it dies, stopped.
//!
//! The process does not depend on us. What has to be known to take it up again after we were
//! killed is written down before and after each start ([`kept`]); a process that was started and
//! not yet written down is found by the mark it carries.

mod adopt;
mod begin;
mod end;
mod exit;
mod kept;
mod launch;
mod live;
mod pace;

use std::sync::Arc;

use toehold_core::health::HealthChange;
use toehold_core::model::{Evidence, Goal, InstanceId, InstancePhase, InstanceStatus, RunId};
use toehold_core::wire::agent::Placed;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::shop::Shop;
use crate::time::now;

pub(crate) use kept::known;

use kept::Kept;
use live::Live;

/// Keeps one instance as it is wished.
pub(crate) struct Keeper {
    id: InstanceId,
    shop: Arc<Shop>,
    /// `None`: it is not placed here (any more).
    wish: watch::Receiver<Option<Placed>>,
    kept: Kept,
    live: Option<Live>,
    status: InstanceStatus,
    /// It died: not to be started before.
    rest_until: Option<Instant>,
}

impl Keeper {
    /// Takes up an instance: what is written down of it, and its process where that still runs.
    /// `marked` are the live processes that carry its mark.
    pub(crate) fn new(
        id: InstanceId,
        shop: Arc<Shop>,
        wish: watch::Receiver<Option<Placed>>,
        marked: &[RunId],
    ) -> Self {
        let kept = Kept::open(&shop, &id);
        let placed = wish.borrow().clone();
        let release = placed.as_ref().map_or(kept.release, |it| it.release);
        let status = adopt::blank(id.clone(), release, &kept);
        let mut keeper = Self { id, shop, wish, kept, live: None, status, rest_until: None };
        keeper.adopt(placed.as_ref(), marked);
        keeper.post();
        keeper
    }

    /// Does what is wished, until the instance has ended and is not placed here any more.
    pub(crate) async fn keep(mut self) {
        loop {
            let wish = self.wish.borrow_and_update().clone();
            match (wish, self.live.is_some()) {
                (None, _) => {
                    self.stop(self.kept.grace).await;
                    self.leave();
                    return;
                }
                // One that died while it was drained is not needed any more.
                (Some(Placed { goal: Goal::Stop, grace, .. }), _)
                | (Some(Placed { goal: Goal::Drain { .. }, grace, .. }), false) => {
                    self.stop(grace).await;
                    self.changed().await;
                }
                (Some(placed), true) => self.watch(&placed).await,
                (Some(placed), false) => self.start(&placed).await,
            }
        }
    }

    /// Waits for the process to end, the wish to change or the next probe, and deals with it.
    async fn watch(&mut self, placed: &Placed) {
        loop {
            let Some(port) = self.kept.port else {
                // Taken up without knowing where it listens: it cannot be of use.
                return self.stop(placed.grace).await;
            };
            let Some(live) = &mut self.live else { return };
            let ask = launch::ask(&self.shop, placed, port);
            let (ended, probed) = live.next(&ask);
            tokio::select! {
                biased;
                status = ended => return self.died(placed, status).await,
                () = changed(&mut self.wish) => return,
                evidence = probed => self.probed(placed, evidence),
            }
        }
    }

    fn probed(&mut self, placed: &Placed, mut evidence: Evidence) {
        let Some(live) = &mut self.live else { return };
        if evidence.answer == "refused"
            && let Some(port) = self.kept.port
            && let Some(elsewhere) = live.listens_elsewhere(port)
        {
            evidence.answer = format!("refused: {elsewhere}, not on $PORT {port}");
        }
        let change = live.record(placed, &evidence);
        if self.status.evidence.as_ref().is_none_or(|it| it.answer != evidence.answer) {
            self.shop.journals.say(&self.id, &format!("{}: {}", evidence.asked, evidence.answer));
        }
        let at = evidence.at;
        self.status.evidence = Some(evidence);
        let Some(change) = change else {
            let evidence = self.status.evidence.clone();
            return self.shop.board.note(&self.id, |status| status.evidence = evidence);
        };
        self.status.healthy = change == HealthChange::Rose;
        self.kept.healthy = self.status.healthy;
        if self.status.healthy {
            self.status.phase = InstancePhase::Running;
            self.status.healthy_since.get_or_insert(at);
            self.kept.healthy_since = self.status.healthy_since;
        }
        let word = if self.status.healthy { "healthy" } else { "not healthy any more" };
        tracing::info!(instance.id = %self.id, "An instance is {word}.");
        self.save();
        self.post();
    }

    /// The process has ended by itself.
    async fn died(&mut self, placed: &Placed, status: Option<std::process::ExitStatus>) {
        let Some(live) = self.live.take() else { return };
        let exit = live.exit(status, placed.memory_bytes);
        let was_healthy = self.status.healthy_since;
        self.rest(exit.clone());
        self.kill(&live.tree).await;
        let proven = was_healthy.is_some_and(|since| now().since(since) >= pace::FORGIVEN_AFTER);
        if proven {
            self.kept.streak = 0;
        }
        if placed.goal != Goal::Run {
            self.shop.journals.say(&self.id, &format!("ended: {}", exit.how));
            return;
        }
        self.kept.restarts = self.kept.restarts.saturating_add(1);
        self.status.restarts = self.kept.restarts;
        let delay = pace::delay(self.kept.streak);
        self.kept.streak = self.kept.streak.saturating_add(1);
        self.shop.journals.say(
            &self.id,
            &format!("ended: {}; starts again in {:.1} s", exit.how, delay.as_secs_f64()),
        );
        tracing::warn!(instance.id = %self.id, exit.how = %exit.how, "An instance died and is started again.");
        self.rest_until = Some(Instant::now() + delay);
        self.status.phase = InstancePhase::Backoff { until: now().plus(delay) };
        // A check that asks nothing of the app can pass before the shell has looked for the
        // program, so having been healthy for a moment proves nothing.
        if !proven && exit::never_ran(status) {
            let tail = self.shop.journals.tail(&self.id, 400);
            self.status.phase = InstancePhase::Failed {
                why: placed.without_secrets(&format!(
                    "`{}` cannot be run ({}): {tail}",
                    placed.command, exit.how
                )),
            };
        }
        self.save();
        self.post();
    }

    fn leave(&mut self) {
        Kept::remove(&self.shop, &self.id);
        self.shop.board.leave(&self.id);
    }

    fn measure(&self, placed: Option<&Placed>, live: &Live) {
        if let Some(placed) = placed {
            self.shop.measure(&self.id, live.measured(placed));
        }
    }

    fn save(&self) {
        self.kept.save(&self.shop, &self.id);
    }

    fn post(&self) {
        let reading = self.status.run.and(self.shop.board.reading(&self.id));
        self.shop.board.post(InstanceStatus { reading, ..self.status.clone() });
    }

    async fn changed(&mut self) {
        changed(&mut self.wish).await;
    }
}

/// Returns once another wish was made; never, where nobody can make one any more.
async fn changed(wish: &mut watch::Receiver<Option<Placed>>) {
    if wish.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Returns once it should not run any more.
async fn not_run(wish: &mut watch::Receiver<Option<Placed>>) {
    loop {
        changed(wish).await;
        if wish.borrow().as_ref().is_none_or(|it| it.goal != Goal::Run) {
            return;
        }
    }
}

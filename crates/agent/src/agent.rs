//! The one loop of the agent: placements in, instances kept, everything measured.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use toehold_core::model::{Digest, Goal, InstanceId, MachineName, RunId};
use toehold_core::wire::agent::{Placed, Placement};
use toehold_host::lock::{FolderLock, LockError};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::dial::ControlPlane;
use crate::link::Link;
use crate::own_log;
use crate::placement::{PlacementError, Placements};
use crate::sample::{Machine, Sampler};
use crate::shop::Shop;
use crate::supervise::{Keeper, known};
use crate::time::now;

/// How often everything is measured.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// How often what nobody needs is looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// How much longer than the longest grace stopping everything may take: killing what does not
/// obey, and looking that nothing is left.
const STOP_MARGIN: Duration = Duration::from_secs(10);

/// How often is looked whether everything has stopped.
const STOP_POLL: Duration = Duration::from_millis(10);

/// How an agent is set up.
#[derive(Clone)]
pub struct Settings {
    /// Where its state lies; one agent a folder.
    pub dir: PathBuf,
    /// Where the control plane is; it need not be there.
    pub control: ControlPlane,
    /// The name of this machine.
    pub machine: MachineName,
    /// The version that is told to the control plane.
    pub version: String,
}

/// What becomes of the instances when the agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They run on, and the next agent takes them up.
    LeaveRunning,
    /// They are stopped, each with its grace; the next agent starts them again.
    StopAll,
}

/// Why an agent cannot run.
#[derive(Debug, Error)]
pub enum AgentError {
    /// Another agent has the folder.
    #[error("the agent's folder cannot be taken")]
    Lock(#[from] LockError),
    /// The folder cannot be used.
    #[error("the agent's folder {dir} cannot be used")]
    Folder {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs the agent until `ending` says how it should end. A sender that is dropped says that the
/// instances should run on. Must be called in a tokio runtime with IO and time.
pub async fn run(
    settings: Settings,
    mut ending: watch::Receiver<Option<Ending>>,
) -> Result<(), AgentError> {
    let _lock = FolderLock::take(&settings.dir)?;
    let shop = Shop::open(&settings.dir, settings.control.clone())
        .map_err(|source| AgentError::Folder { dir: settings.dir.clone(), source })?;
    let shop = Arc::new(shop);
    let (placements, opened) = Placements::open(&settings.dir);
    if let Err(error) = opened {
        tracing::error!(%error, "It is not known what should run here: nothing is started or stopped before the control plane speaks.");
    }
    let mut crew = Crew::new(Arc::clone(&shop), placements);
    crew.begin();
    let (sender, mut incoming) = mpsc::channel(4);
    let link = Link {
        control: settings.control,
        machine: settings.machine,
        version: settings.version,
        shop,
        placements: sender,
    };
    let link = AbortOnDrop(tokio::spawn(link.hold()).abort_handle());
    let how = crew.work(&mut incoming, &mut ending).await;
    if how == Ending::StopAll {
        crew.stop_all().await;
    }
    drop(link);
    Ok(())
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everyone who keeps an instance.
struct Crew {
    shop: Arc<Shop>,
    placements: Placements,
    /// The newest placement that could not be kept yet: a full disk may have space again.
    held: Option<Placement>,
    posts: BTreeMap<InstanceId, Post>,
    tasks: JoinSet<()>,
    sampler: Sampler,
    machine: Machine,
}

struct Post {
    wish: watch::Sender<Option<Placed>>,
    task: tokio::task::Id,
}

impl Crew {
    fn new(shop: Arc<Shop>, placements: Placements) -> Self {
        Self {
            shop,
            placements,
            held: None,
            posts: BTreeMap::new(),
            tasks: JoinSet::new(),
            sampler: Sampler::default(),
            machine: Machine::default(),
        }
    }

    /// Takes up what should run here, and what does and should not. Where it is not known what
    /// should run, nothing is touched.
    fn begin(&mut self) {
        self.measure();
        let Some(placement) = self.placements.current().cloned() else { return };
        let marked = self.shop.marked();
        let mut ids: BTreeSet<InstanceId> = known(&self.shop).into_iter().collect();
        ids.extend(marked.iter().map(|(_, id)| id.clone()));
        ids.extend(placement.instances.iter().map(|it| it.id.clone()));
        for id in ids {
            let placed = placement.instances.iter().find(|it| it.id == id).cloned();
            self.post(&id, placed, &marked);
        }
        self.shop.board.apply(placement.order);
    }

    async fn work(
        &mut self,
        incoming: &mut mpsc::Receiver<Placement>,
        ending: &mut watch::Receiver<Option<Ending>>,
    ) -> Ending {
        let mut sample = tokio::time::interval(SAMPLE_EVERY);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sample.set_missed_tick_behavior(MissedTickBehavior::Skip);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                how = ending.wait_for(Option::is_some) => {
                    return how.ok().and_then(|how| *how).unwrap_or(Ending::LeaveRunning);
                }
                Some(placement) = incoming.recv() => self.place(placement),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                _ = sample.tick() => self.measure(),
                _ = sweep.tick() => self.sweep().await,
            }
        }
    }

    fn place(&mut self, placement: Placement) {
        let first = self.placements.current().is_none();
        let again = placement.clone();
        self.held = None;
        match self.placements.accept(placement) {
            Ok(_) if first => self.begin(),
            Ok(_) => self.apply(),
            Err(error @ PlacementError::Older(_)) => tracing::warn!("{error}"),
            Err(error @ PlacementError::Keep(_)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!("{error}, and is tried again: {}", cause.unwrap_or_default());
                self.held = Some(again);
            }
        }
    }

    fn apply(&mut self) {
        let Some(placement) = self.placements.current().cloned() else { return };
        let mut wishes: BTreeMap<InstanceId, Placed> =
            placement.instances.into_iter().map(|it| (it.id.clone(), it)).collect();
        for (id, post) in &self.posts {
            let wish = wishes.remove(id);
            post.wish.send_if_modified(|have| {
                let differs = *have != wish;
                *have = wish;
                differs
            });
        }
        for (id, placed) in wishes {
            self.post(&id, Some(placed), &[]);
        }
        self.shop.board.apply(placement.order);
    }

    /// Begins to keep an instance.
    fn post(&mut self, id: &InstanceId, placed: Option<Placed>, marked: &[(RunId, InstanceId)]) {
        let (wish, wished) = watch::channel(placed);
        let runs: Vec<RunId> =
            marked.iter().filter(|(_, it)| it == id).map(|(run, _)| *run).collect();
        let keeper = Keeper::new(id.clone(), Arc::clone(&self.shop), wished, &runs);
        let task = self.tasks.spawn(keeper.keep()).id();
        self.posts.insert(id.clone(), Post { wish, task });
    }

    /// Someone who kept an instance is done: it is gone, or, which would be a mistake of ours, he
    /// broke down, and another takes his place.
    fn ended(&mut self, ended: Result<(tokio::task::Id, ()), JoinError>) {
        let (task, broken) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => {
                tracing::error!(%error, "A keeper of an instance broke down: that is a bug in Toehold.");
                (error.id(), true)
            }
        };
        let Some(id) = self.posts.iter().find(|(_, it)| it.task == task).map(|(id, _)| id.clone())
        else {
            return;
        };
        self.posts.remove(&id);
        let placement = self.placements.current();
        let placed = placement.and_then(|it| it.instances.iter().find(|it| it.id == id)).cloned();
        if placed.is_some() || broken {
            let marked = self.shop.marked();
            self.post(&id, placed, &marked);
        }
    }

    /// Measures everything, and tends the logs; tries again what could not be done.
    fn measure(&mut self) {
        if let Some(placement) = self.held.take() {
            self.place(placement);
        }
        for (id, reading) in self.sampler.read(&self.shop.measured()) {
            self.shop.board.note(&id, |status| status.reading = Some(reading));
        }
        self.shop.board.measure(self.machine.read(&self.shop.dir));
        for id in self.posts.keys() {
            self.shop.journals.tend(id, now());
        }
    }

    /// Clears away what nobody needs.
    async fn sweep(&mut self) {
        own_log::bound(&self.shop.dir);
        let Some(placement) = self.placements.current() else { return };
        let ids: Vec<InstanceId> = self.posts.keys().cloned().collect();
        self.shop.journals.sweep(&ids, now());
        let mut used: BTreeSet<Digest> =
            placement.instances.iter().map(|it| it.artifact.clone()).collect();
        used.extend(
            self.posts.values().filter_map(|it| Some(it.wish.borrow().as_ref()?.artifact.clone())),
        );
        // One that still ends and is not placed any more runs from a folder we cannot name.
        if self.posts.values().all(|it| it.wish.borrow().is_some()) {
            self.shop.forget_packed(&used);
            self.shop.artifacts.sweep(used).await;
        }
    }

    /// Stops every instance, without touching what is placed: the next agent starts them again.
    async fn stop_all(&mut self) {
        let mut grace = Duration::ZERO;
        for post in self.posts.values() {
            post.wish.send_modify(|wish| {
                if let Some(placed) = wish {
                    placed.goal = Goal::Stop;
                    grace = grace.max(placed.grace);
                }
            });
        }
        let stopped = async {
            while !self.shop.board.all_stopped() {
                tokio::time::sleep(STOP_POLL).await;
            }
        };
        if tokio::time::timeout(grace + STOP_MARGIN, stopped).await.is_err() {
            tracing::error!(
                "Not every instance could be stopped; the next agent takes up what is left."
            );
        }
    }
}

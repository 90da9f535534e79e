//! The room that knows the others: it observes, lets the core decide, checks the decision, writes
//! it down, and tells agents and proxy the whole of what is now wished.

mod act;
mod alerts_out;
mod apps;
mod build;
mod build_events;
mod builds;
mod carry_out;
mod causes;
mod certificates;
mod events;
mod exposed;
mod fetch;
mod health;
mod jenkins;
mod lag;
mod letters;
mod line;
mod machines;
mod mirror;
mod observe;
mod outside;
mod poll;
mod project;
mod push;
mod queue;
mod reach;
mod recover;
mod report;
mod retention;
mod secrets;
mod turn;
mod view;
mod webhook;
mod why;
mod wishes;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use thiserror::Error;
use toehold_core::model::{AppName, CommitId, InstanceId, MachineName, Number, Provider};
use toehold_core::time::Timestamp;
use toehold_core::wish::Refusal;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alertmanager::Alertmanager;
use crate::authority::{Authority, AuthorityError};
use crate::builder::CheckoutError;
use crate::clock::Clock;
use crate::flags::{Flags, FlagsError};
use crate::fleet::{Fleet, FleetError};
use crate::layout::Layout;
use crate::metrics::Metrics;
use crate::provider;
use crate::provider::host_key::KeyError;
use crate::secret::{Keys, Sessions, TokenError, Tokens, Vault, VaultError};
use crate::settings::Settings;
use crate::source::SourceError;
use crate::source::remote::RemoteError;
use crate::source::update::{Unmapped, UpdateError};
use crate::source::webhook::Forge;
use crate::store::{CommitError, Fault, ReadError, Store};

pub use act::ActError;
pub use builds::LogChunk;
pub use causes::Causes;
pub use events::Span;
pub use exposed::Found;
pub use health::Finding;
pub use jenkins::Notified;
pub use machines::{AddError, NewMachine};
pub use outside::{PassedOver, TakenIn};
pub use push::{Deployed, Pushed, Verdict};
pub use queue::HeldPush;
pub use webhook::{Received, WebhookError};

/// Why something asked of the control plane was not done.
#[derive(Debug, Error)]
pub enum ControlError {
    /// No such app.
    #[error("there is no app {0}")]
    NoApp(AppName),
    /// An app of that name exists.
    #[error("there is an app {0} already")]
    AppExists(AppName),
    /// No such build.
    #[error("{app} has no build {number}")]
    NoBuild {
        /// The app.
        app: AppName,
        /// What was asked for.
        number: Number,
    },
    /// No such release.
    #[error("{app} has no release {number}")]
    NoRelease {
        /// The app.
        app: AppName,
        /// What was asked for.
        number: Number,
    },
    /// No such instance.
    #[error("{0} is not known")]
    NoInstance(InstanceId),
    /// A document of that key was there already: this was taken in before.
    #[error("this was taken in before")]
    TakenBefore,
    /// The app's repository has no such commit.
    #[error("the repository of {app} has no commit {commit}")]
    NoCommit {
        /// The app.
        app: AppName,
        /// What was asked for.
        commit: CommitId,
    },
    /// The branch leads nowhere, and nobody said a track.
    #[error(transparent)]
    Unmapped(#[from] Unmapped),
    /// What was asked for names no commit; in words.
    #[error("{0}")]
    Unclear(String),
    /// No branch of that track has a commit.
    #[error("no branch of {app} that goes to {track} has a commit")]
    NothingPushed {
        /// The app.
        app: AppName,
        /// The track.
        track: toehold_core::model::Track,
    },
    /// The rules of the house say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The operator's settings cannot be used.
    #[error("server.toml: {0}")]
    Setting(String),
    /// What somebody was shown is not so any more; in words.
    #[error("{0}")]
    NoLonger(String),
    /// The decision did not hold what must hold of every decision; nothing was changed.
    #[error("the decision was not carried out: {0}")]
    Unsafe(String),
    /// No such machine.
    #[error("there is no machine {0}: `toehold machines ls` shows them")]
    NoMachine(MachineName),
    /// The machine is on its way back.
    #[error(
        "{0} is being given back, and nothing else can be wished of it any more: where another \
         machine is needed, an app's is made by itself, and your own is added again"
    )]
    Leaving(MachineName),
    /// The files of a commit could not be written.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
    /// Machines' certificates could not be made or taken back.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The key Toehold logs in to machines with cannot be had.
    #[error(transparent)]
    SshKey(#[from] KeyError),
    /// Others changed the same thing again and again.
    #[error("{0} is being changed by others: try again")]
    Contended(AppName),
    /// The same of a machine.
    #[error("{0} is being changed by others: try again")]
    ContendedMachine(MachineName),
    /// The queue of builds is full.
    #[error("{0} builds wait already: try again when some are through")]
    QueueFull(usize),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// git did not do what was asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A forge that may have a commit did not give it.
    #[error("{} was asked for the commit and did not give it", .forge.title())]
    Unfetched {
        /// Which.
        forge: Forge,
        /// Why.
        source: SourceError,
    },
    /// What git told our hook cannot be understood.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// The address of a repository in the settings cannot be used.
    #[error("cannot use the repository set for {app}")]
    Remote {
        /// The app.
        app: AppName,
        /// Why.
        source: RemoteError,
    },
    /// Secrets could not be read or written.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Flags could not be read or changed.
    #[error(transparent)]
    Flags(#[from] FlagsError),
    /// A token could not be made or taken back.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// An agent did not answer.
    #[error("the instance's agent cannot be asked")]
    Fleet(#[from] FleetError),
    /// A file of ours could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What the control plane is made of.
pub struct Parts {
    /// Where things lie.
    pub layout: Layout,
    /// What the operator set.
    pub settings: Settings,
    /// The store.
    pub store: Arc<dyn Store>,
    /// This start's epoch: plans of an earlier one are refused by agents and proxy.
    pub epoch: u64,
    /// The links.
    pub fleet: Arc<Fleet>,
    /// Which machines may dial in.
    pub authority: Arc<Authority>,
    /// Who gives machines.
    pub providers: BTreeMap<Provider, Box<dyn provider::Provider>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Flags.
    pub flags: Arc<Flags>,
    /// Tokens of the API.
    pub tokens: Arc<Tokens>,
    /// Sessions of the dashboard.
    pub sessions: Arc<Sessions>,
    /// The apps' secrets.
    pub vault: Arc<Vault>,
    /// Toehold's own keys.
    pub keys: Keys,
    /// This program, for the hooks of repositories.
    pub program: PathBuf,
}

/// The control plane.
pub struct Control {
    parts: Parts,
    /// When it began.
    began: Timestamp,
    apps: tokio::sync::Mutex<apps::Apps>,
    machines: Mutex<machines::Machines>,
    metrics: Mutex<Metrics>,
    queue: Mutex<queue::Queue>,
    /// Held while a push is taken in: of two that tell of the same one, the second sees the first.
    taking_in: tokio::sync::Mutex<()>,
    plans: Mutex<project::Plans>,
    itself: Weak<Self>,
    wake: Notify,
    wake_queue: Notify,
    wake_machines: Notify,
    /// An alert was raised or ended.
    wake_alerts: Notify,
    /// Some app's document has changed.
    changed: watch::Sender<()>,
    passed_over: Mutex<outside::Said>,
    reach: Mutex<reach::Reach>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl From<Fault> for ControlError {
    fn from(fault: Fault) -> Self {
        Self::Read(ReadError::Fault(fault))
    }
}

impl Control {
    /// Takes up what the store says, and goes on from there.
    pub async fn start(
        parts: Parts,
        shutdown: CancellationToken,
    ) -> Result<Arc<Self>, ControlError> {
        let alertmanager = parts.settings.alertmanager.as_ref().map(Alertmanager::new);
        let alertmanager = alertmanager.transpose().map_err(ControlError::Setting)?;
        let redis = parts.settings.redis.clone();
        let mirror = redis.as_ref().map(mirror::prepare).transpose()?;
        let acme = parts.settings.acme.as_ref();
        let keeper = acme.map(|acme| certificates::prepare(acme, &parts.layout)).transpose()?;
        let apps = apps::Apps::load(&parts.store).await?;
        let machines = machines::Machines::load(&parts.store).await?;
        let control = Arc::new_cyclic(|itself| Self {
            plans: Mutex::new(project::Plans::new(parts.epoch)),
            itself: Weak::clone(itself),
            began: parts.clock.now(),
            parts,
            apps: tokio::sync::Mutex::new(apps),
            machines: Mutex::new(machines),
            metrics: Mutex::default(),
            queue: Mutex::default(),
            taking_in: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            wake_queue: Notify::new(),
            wake_machines: Notify::new(),
            wake_alerts: Notify::new(),
            changed: watch::Sender::new(()),
            passed_over: Mutex::default(),
            reach: Mutex::default(),
            tasks: TaskTracker::new(),
            shutdown,
        });
        control.recover().await?;
        control.project().await;
        control.tasks.spawn({
            let (flags, shutdown) = (Arc::clone(&control.parts.flags), control.shutdown.clone());
            async move { flags.follow(shutdown).await }
        });
        control.tasks.spawn(turn::run(Arc::clone(&control)));
        control.tasks.spawn(machines::run(Arc::clone(&control)));
        control.tasks.spawn(work::run(Arc::clone(&control)));
        control.tasks.spawn(retention::run(Arc::clone(&control)));
        if let Some(alertmanager) = alertmanager {
            control.tasks.spawn(alerts_out::run(Arc::clone(&control), alertmanager));
        }
        if let (Some(settings), Some(mirror)) = (redis, mirror) {
            control.tasks.spawn(mirror::run(Arc::clone(&control), settings, mirror));
        }
        match keeper {
            Some(keeper) => {
                control.tasks.spawn(certificates::run(Arc::clone(&control), keeper));
            }
            None => certificates::take_back(&control).await?,
        }
        poll::begin(&control);
        report::begin(&control);
        Ok(control)
    }

    /// Waits until everything that was begun has ended, after `shutdown`.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Ends when the control plane is asked to.
    #[must_use]
    pub const fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Flags.
    #[must_use]
    pub fn flags(&self) -> &Flags {
        &self.parts.flags
    }

    /// Tokens of the API.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.parts.tokens
    }

    /// Sessions of the dashboard.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.parts.sessions
    }

    /// The operator's settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// Where things lie.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.parts.layout
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.parts.clock.as_ref()
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// What was counted, for pictures.
    pub fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, queue::Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

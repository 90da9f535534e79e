//! The links to what runs: the agents and the proxy. They dial in; each is told the whole of what
//! is wished, and says the whole of what it sees.

mod accept;
mod agents;
mod proxies;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use toehold_core::model::{InstanceId, MachineName};
use toehold_core::wire::Order;
use toehold_core::wire::agent::{LogFrom, LogPiece, Placement, Report, ToAgent};
use toehold_core::wire::proxy::{ProxyReport, Routes};
use toehold_host::link::{self, LinkError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// How long an agent or a proxy may be silent before it counts as away.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a piece of a log may take to come.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// How many questions an agent may have open.
const QUESTIONS: usize = 64;

/// Why a link could not be served or a question not be answered.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The socket for agents or the proxy could not be made.
    #[error("cannot listen for {who}")]
    Listen {
        /// `agents` or `the proxy`.
        who: &'static str,
        /// Why.
        source: LinkError,
    },
    /// No agent knows the instance, or its agent is away.
    #[error("no agent that is connected knows {instance}")]
    NoAgent {
        /// Whose log was asked for.
        instance: InstanceId,
    },
    /// The agent did not answer in time.
    #[error("the agent did not answer within {} s", LOG_PATIENCE.as_secs())]
    Silent,
    /// The agent has no such log.
    #[error("the agent cannot read the log: {why}")]
    Log {
        /// What it said.
        why: String,
    },
}

/// What an agent said last.
#[derive(Clone, Debug)]
pub struct AgentSeen {
    /// The report.
    pub report: Report,
    /// When it came.
    pub at: Instant,
}

impl AgentSeen {
    /// Whether it was heard of lately.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.at.elapsed() < SILENCE
    }
}

/// What the proxy said last.
#[derive(Clone, Debug)]
pub struct ProxyReported {
    /// The report.
    pub report: ProxyReport,
    /// When it came.
    pub at: Instant,
}

/// When the proxy put routes in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Which.
    pub order: Order,
    /// When, in microseconds since 1970.
    pub at_us: u64,
}

/// A question to an agent.
struct Question {
    message: ToAgent,
    request: u64,
    answer: oneshot::Sender<Result<LogPiece, String>>,
}

/// What is known of all links, behind one short lock.
#[derive(Default)]
struct Known {
    agents: BTreeMap<MachineName, AgentSeen>,
    questions: BTreeMap<MachineName, mpsc::Sender<Question>>,
    proxy: Option<ProxyReported>,
    next_request: u64,
}

/// The links.
pub struct Fleet {
    known: Mutex<Known>,
    placements: watch::Sender<BTreeMap<MachineName, Placement>>,
    routes: watch::Sender<Option<Routes>>,
    applied: watch::Sender<Applied>,
    news: watch::Sender<u64>,
}

impl Fleet {
    /// No links yet, and nothing to say to whoever dials in.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            known: Mutex::default(),
            placements: watch::Sender::new(BTreeMap::new()),
            routes: watch::Sender::new(None),
            applied: watch::Sender::new(Applied::default()),
            news: watch::Sender::new(0),
        })
    }

    /// Listens on `agent.sock` and `proxy.sock` in `folder` until `shutdown`.
    pub fn listen(
        self: &Arc<Self>,
        folder: &Path,
        shutdown: &CancellationToken,
    ) -> Result<(), FleetError> {
        let open = |path: PathBuf, who| {
            link::listen(&path).map_err(|source| FleetError::Listen { who, source })
        };
        let agents = open(Self::agent_socket(folder), "agents")?;
        let proxies = open(Self::proxy_socket(folder), "the proxy")?;
        let fleet = Arc::clone(self);
        let serve = move |stream| agents::serve(Arc::clone(&fleet), stream);
        tokio::spawn(accept::links(agents, shutdown.clone(), serve));
        let fleet = Arc::clone(self);
        let serve = move |stream| proxies::serve(Arc::clone(&fleet), stream);
        tokio::spawn(accept::links(proxies, shutdown.clone(), serve));
        Ok(())
    }

    /// Where agents dial in.
    #[must_use]
    pub fn agent_socket(folder: &Path) -> PathBuf {
        folder.join("agent.sock")
    }

    /// Where the proxy dials in.
    #[must_use]
    pub fn proxy_socket(folder: &Path) -> PathBuf {
        folder.join("proxy.sock")
    }

    /// Says what should run on each machine.
    pub fn place(&self, placements: BTreeMap<MachineName, Placement>) {
        self.placements.send_if_modified(|now| {
            let changed = *now != placements;
            *now = placements;
            changed
        });
    }

    /// Says who gets which release.
    pub fn route(&self, routes: Routes) {
        self.routes.send_if_modified(|now| {
            let changed = now.as_ref() != Some(&routes);
            *now = Some(routes);
            changed
        });
    }

    /// What each agent said last.
    #[must_use]
    pub fn agents(&self) -> BTreeMap<MachineName, AgentSeen> {
        self.known().agents.clone()
    }

    /// What the proxy said last; `None` where it was not heard of lately.
    #[must_use]
    pub fn proxy(&self) -> Option<ProxyReported> {
        self.known().proxy.clone().filter(|seen| seen.at.elapsed() < SILENCE)
    }

    /// Grows with everything that is heard.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The routes the proxy has in force.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Applied> {
        self.applied.subscribe()
    }

    /// Reads a piece of an instance's log from its agent.
    pub async fn read_log(
        &self,
        instance: &InstanceId,
        from: LogFrom,
        max_bytes: u64,
    ) -> Result<LogPiece, FleetError> {
        let (question, machine, answer) = {
            let mut known = self.known();
            known.next_request += 1;
            let request = known.next_request;
            let machine = machine_of(&known, instance);
            let asked = machine.and_then(|machine| known.questions.get(&machine).cloned());
            let (sender, answer) = oneshot::channel();
            let message = ToAgent::ReadLog { request, instance: instance.clone(), from, max_bytes };
            (Question { message, request, answer: sender }, asked, answer)
        };
        let no_agent = || FleetError::NoAgent { instance: instance.clone() };
        machine.ok_or_else(no_agent)?.try_send(question).map_err(|_| no_agent())?;
        match tokio::time::timeout(LOG_PATIENCE, answer).await {
            Ok(Ok(piece)) => piece.map_err(|why| FleetError::Log { why }),
            Ok(Err(_)) => Err(no_agent()),
            Err(_) => Err(FleetError::Silent),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }
}

/// The machine whose agent knows the instance; where none says so, the only one there is: it may
/// still keep the log of an instance that is gone.
fn machine_of(known: &Known, instance: &InstanceId) -> Option<MachineName> {
    let knows = |seen: &AgentSeen| seen.report.instances.iter().any(|it| it.id == *instance);
    let found = known.agents.iter().find(|(_, seen)| knows(seen)).map(|(machine, _)| machine);
    found.or_else(|| known.questions.keys().next()).cloned()
}

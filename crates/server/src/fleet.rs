//! The links to what runs: the agents and the proxy. They dial in; each is told the whole of what
//! is wished, and says the whole of what it sees.

mod accept;
mod agents;
mod heard;
mod machines;
mod proxies;
mod shares;
mod shown;
mod strangers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use toehold_core::model::{Digest, InstanceId, MachineName};
use toehold_core::wire::Order;
use toehold_core::wire::agent::{LogFrom, LogPiece, Placed, Placement, Report, ToAgent};
use toehold_core::wire::certificates::Certificates;
use toehold_core::wire::proxy::{ProxyReport, Routes};
use toehold_host::link::{self, LinkError};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, AuthorityError};

pub use shown::NotShown;

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
    /// The agent of the instance's machine is away, and the log lies there.
    #[error(
        "the agent of machine {machine} is away, and the log of {instance} lies on that machine: \
         below its agent's folder, agent/log/{}.log", .instance.file_name()
    )]
    NoAgent {
        /// Whose log was asked for.
        instance: InstanceId,
        /// Where it lies.
        machine: MachineName,
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

/// What each agent said last; what they said is shared, not copied.
pub type Agents = BTreeMap<MachineName, Arc<AgentSeen>>;

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

/// Which program an agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentProgram {
    /// Its version.
    pub version: String,
    /// The SHA-256 of the program; `None` where the agent does not say.
    pub digest: Option<Digest>,
}

/// A question to an agent.
struct Question {
    message: ToAgent,
    request: u64,
    answer: oneshot::Sender<Result<LogPiece, String>>,
}

/// Where questions to an agent are put, and its link is ended by dropping them all.
type Questions = mpsc::Sender<Question>;

/// What is known of all links, behind one short lock.
#[derive(Default)]
struct Known {
    agents: Agents,
    programs: BTreeMap<MachineName, AgentProgram>,
    questions: BTreeMap<MachineName, Questions>,
    proxies: heard::Heard,
    next_request: u64,
    next_link: u64,
}

/// The links.
pub struct Fleet {
    known: Mutex<Known>,
    placements: watch::Sender<BTreeMap<MachineName, Placement>>,
    routes: watch::Sender<Option<Routes>>,
    applied: watch::Sender<Applied>,
    certificates: watch::Sender<Option<Certificates>>,
    shown: watch::Sender<shown::Shown>,
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
            certificates: watch::Sender::new(None),
            shown: watch::Sender::default(),
            news: watch::Sender::new(0),
        })
    }

    /// Listens for agents on other machines until `shutdown`: who shows a certificate of the
    /// authority is served, who has a token is let in. `shelf` says where an artifact lies.
    pub fn listen_for_machines(
        self: &Arc<Self>,
        listener: TcpListener,
        authority: Arc<Authority>,
        shelf: impl Fn(&Digest) -> PathBuf + Send + Sync + 'static,
        shutdown: &CancellationToken,
    ) -> Result<(), AuthorityError> {
        let acceptor = authority.acceptor()?;
        let gate = machines::Gate::new(Arc::clone(self), authority, acceptor, Box::new(shelf));
        tokio::spawn(machines::listen(listener, gate, shutdown.clone()));
        Ok(())
    }

    /// Ends the link to a machine that is not to be known any more.
    pub fn hang_up(&self, machine: &MachineName) {
        let mut known = self.known();
        known.agents.remove(machine);
        known.programs.remove(machine);
        known.questions.remove(machine);
        drop(known);
        self.tell();
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
        let serve = move |stream| agents::serve(Arc::clone(&fleet), stream, agents::Caller::Here);
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

    /// Says what should run on each machine. A machine whose share is the same as before is told
    /// nothing: each telling costs its disk a write.
    pub fn place(&self, order: Order, placed: BTreeMap<MachineName, Vec<Placed>>) {
        self.placements.send_if_modified(|now| {
            let mut next = BTreeMap::new();
            for (machine, instances) in placed {
                let same = now
                    .get(&machine)
                    .filter(|it| it.instances == instances && it.order.epoch == order.epoch);
                let order = same.map_or(order, |it| it.order);
                next.insert(machine, Placement { order, instances });
            }
            let changed = *now != next;
            *now = next;
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
    pub fn agents(&self) -> Agents {
        self.known().agents.clone()
    }

    /// Which program each agent is that dialled in.
    #[must_use]
    pub fn programs(&self) -> BTreeMap<MachineName, AgentProgram> {
        self.known().programs.clone()
    }

    /// What the proxy said last; `None` where it was not heard of lately. While one takes over from
    /// another, what both said, as one.
    #[must_use]
    pub fn proxy(&self) -> Option<ProxyReported> {
        self.known().proxies.now()
    }

    /// The same, with what was counted by those before it that this control plane heard of.
    #[must_use]
    pub fn proxy_counted(&self) -> Option<ProxyReported> {
        self.known().proxies.counted()
    }

    /// What each proxy said last that was heard of lately.
    #[must_use]
    pub fn proxies(&self) -> Vec<ProxyReported> {
        self.known().proxies.each()
    }

    /// How many proxies serve or drain.
    #[must_use]
    pub fn proxy_count(&self) -> usize {
        self.known().proxies.count()
    }

    /// Grows with everything that is heard and is new: that agents measured again is not.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The routes the proxy has in force.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Applied> {
        self.applied.subscribe()
    }

    /// Reads a piece of an instance's log from the agent of its machine, where that is known.
    pub async fn read_log(
        &self,
        machine: Option<&MachineName>,
        instance: &InstanceId,
        from: LogFrom,
        max_bytes: u64,
    ) -> Result<LogPiece, FleetError> {
        let (question, (machine, asked), answer) = {
            let mut known = self.known();
            known.next_request += 1;
            let request = known.next_request;
            let machine = machine.cloned().unwrap_or_else(|| machine_of(&known, instance));
            let asked = known.questions.get(&machine).cloned();
            let (sender, answer) = oneshot::channel();
            let message = ToAgent::ReadLog { request, instance: instance.clone(), from, max_bytes };
            (Question { message, request, answer: sender }, (machine, asked), answer)
        };
        let no_agent =
            || FleetError::NoAgent { instance: instance.clone(), machine: machine.clone() };
        asked.ok_or_else(no_agent)?.try_send(question).map_err(|_| no_agent())?;
        match tokio::time::timeout(LOG_PATIENCE, answer).await {
            Ok(Ok(piece)) => piece.map_err(|why| FleetError::Log { why }),
            Ok(Err(_)) => Err(no_agent()),
            Err(_) => Err(FleetError::Silent),
        }
    }

    /// An agent has dialled in. Whoever was there under this name before is hung up on: its end
    /// is dropped here.
    fn dialled_in(&self, machine: &MachineName, program: AgentProgram, questions: Questions) {
        let mut known = self.known();
        known.programs.insert(machine.clone(), program);
        known.questions.insert(machine.clone(), questions);
    }

    /// An agent has reported. What was only measured again waits for the next look: of hundreds of
    /// machines some agent reports at each moment.
    fn reported(&self, machine: &MachineName, report: Report) {
        let seen = Arc::new(AgentSeen { report, at: Instant::now() });
        let before = self.known().agents.insert(machine.clone(), Arc::clone(&seen));
        let is_news =
            before.is_none_or(|before| !before.is_fresh() || seen.report.says_anew(&before.report));
        if is_news {
            self.tell();
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }
}

/// The machine whose agent knows the instance; where none says so, the one Toehold runs on: it may
/// still keep the log of an instance that is gone.
fn machine_of(known: &Known, instance: &InstanceId) -> MachineName {
    let knows = |seen: &AgentSeen| seen.report.instances.iter().any(|it| it.id == *instance);
    let found = known.agents.iter().find(|(_, seen)| knows(seen)).map(|(machine, _)| machine);
    found.cloned().unwrap_or_else(MachineName::local)
}

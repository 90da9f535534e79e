//! Connections to instances: made, kept for the next request, and given up.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::instance::Instance;
use crate::limits::Limits;
use crate::socket::Socket;

/// The longest another machine may leave unacknowledged what was sent to it: its kernel does so at
/// once, however slow its instances are, so one that does not is gone or cut off.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// How long a connection is silent before the other machine is asked whether it is still there.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// How long until it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The connections of one thread that wait for a request, by instance.
#[derive(Debug)]
pub(crate) struct Pools {
    idle: RefCell<BTreeMap<u64, VecDeque<Idle>>>,
    max_age: Duration,
    max_count: usize,
    connect: Duration,
}

/// A connection to an instance.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) socket: Socket,
    /// It had been kept: the instance may be closing it just now.
    pub(crate) reused: bool,
    key: u64,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
    /// How long the instance lets it be idle, as far as it said.
    keep: Duration,
}

impl Pools {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            idle: RefCell::default(),
            max_age: limits.upstream_idle,
            max_count: limits.upstream_kept,
            connect: limits.connect,
        }
    }

    /// A kept connection that was idle for at most `max_idle`: the one that was used last, as it is
    /// the least likely to have been closed.
    pub(crate) fn take(
        &self,
        instance: &Instance,
        max_idle: Duration,
        now: Instant,
    ) -> Option<Line> {
        let mut pools = self.idle.borrow_mut();
        let pool = pools.get_mut(&instance.key)?;
        while let Some(idle) = pool.pop_back() {
            let age = now.saturating_duration_since(idle.since);
            if age > max_idle.min(self.max_age) {
                if max_idle < self.max_age {
                    // Good enough for a request that may be sent twice.
                    pool.push_back(idle);
                }
                return None;
            }
            let Idle { line, keep, .. } = idle;
            if age <= keep && line.socket.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    /// A fresh connection.
    pub(crate) async fn open(&self, instance: &Instance) -> Result<Line, Undialled> {
        let stream = dial(instance, self.connect).await?;
        Ok(Line { socket: Socket::Plain(stream), reused: false, key: instance.key })
    }

    /// Keeps a connection whose answer is through for another request; `said`: how long the
    /// instance keeps it, from `since` on.
    pub(crate) fn keep(&self, line: Line, said: Option<Duration>, since: Instant) {
        let keep = said.map_or(self.max_age, |said| {
            // A second less than it said, so that ours is not under way when it closes.
            said.saturating_sub(Duration::from_secs(1)).min(self.max_age)
        });
        let mut pools = self.idle.borrow_mut();
        let pool = pools.entry(line.key).or_default();
        if pool.len() >= self.max_count {
            pool.pop_front();
        }
        let line = Line { reused: true, ..line };
        pool.push_back(Idle { line, since, keep });
    }

    /// Closes what has been idle for too long or was closed, and all of instances that `serves` does
    /// not know.
    pub(crate) fn sweep(&self, serves: impl Fn(u64) -> bool) {
        self.idle.borrow_mut().retain(|&key, pool| {
            pool.retain(|idle| {
                idle.since.elapsed() < idle.keep.min(self.max_age) && idle.line.socket.is_quiet()
            });
            !pool.is_empty() && serves(key)
        });
    }
}

/// Why an instance could not be dialled.
#[derive(Debug)]
pub(crate) enum Undialled {
    /// This machine has no socket, port or memory left: the instance is not to blame.
    Ours,
    /// What it did, in words.
    Theirs(String),
}

impl Undialled {
    fn of(error: &io::Error) -> Self {
        const ENOMEM: i32 = 12;
        const ENFILE: i32 = 23;
        const EMFILE: i32 = 24;
        const EADDRNOTAVAIL: i32 = 99;
        const ENOBUFS: i32 = 105;
        if let Some(ENOMEM | ENFILE | EMFILE | EADDRNOTAVAIL | ENOBUFS) = error.raw_os_error() {
            tracing::warn!(%error, "no instance can be asked: too few files or ports here");
            return Self::Ours;
        }
        Self::Theirs(match error.kind() {
            io::ErrorKind::ConnectionRefused => "it refuses connections".into(),
            io::ErrorKind::TimedOut => "it takes no connection in time".into(),
            _ => format!("it cannot be reached: {error}"),
        })
    }
}

/// Dials an instance, for at most so long.
pub(crate) async fn dial(instance: &Instance, most: Duration) -> Result<TcpStream, Undialled> {
    let dialling = async {
        let stream = timeout(most, TcpStream::connect(instance.addr))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        guard(&stream, instance.addr)?;
        Ok(stream)
    };
    dialling.await.map_err(|error: io::Error| Undialled::of(&error))
}

/// Lets the connection break once the other machine acknowledges nothing any more, whether something
/// was sent to it or an answer is waited for. On this machine nothing is ever lost.
fn guard(stream: &TcpStream, addr: SocketAddr) -> io::Result<()> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    let asks = TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_AGAIN);
    socket.set_tcp_keepalive(&asks)
}

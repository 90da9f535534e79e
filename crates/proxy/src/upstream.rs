//! Connections to instances: made, kept for the next request, and given up.

mod socket;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::instance::Instance;
use crate::limits::Limits;
use crate::upload::{Progress, Upload};
use crate::upstream::socket::Lookout;

/// The connections of one thread that wait for a request, by instance.
#[derive(Debug)]
pub(crate) struct Pools {
    idle: RefCell<HashMap<u64, VecDeque<Idle>>>,
    max_age: Duration,
    max_count: usize,
    connect: Duration,
    settings: Builder,
}

/// A connection to an instance.
#[derive(Debug)]
struct Connection {
    sender: SendRequest<Upload>,
    lookout: Lookout,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
    /// How long the instance lets it be idle, as far as it said.
    keep: Duration,
}

/// A connection that is busy with a request.
#[derive(Debug)]
pub(crate) struct Lease {
    pools: Rc<Pools>,
    key: u64,
    connection: Connection,
    upload: Option<Rc<Progress>>,
    keep: Duration,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No connection could be made: nothing was sent.
    Connect(Box<Request<Upload>>, io::Error),
    /// A fresh connection was closed before anything was sent.
    Unsent(Box<Request<Upload>>),
    /// Something was sent and no whole head of an answer came.
    Sent {
        error: hyper::Error,
        /// The connection had been kept: the instance may have closed it just then.
        reused: bool,
    },
}

impl Pools {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            idle: RefCell::default(),
            max_age: limits.upstream_idle,
            max_count: limits.upstream_kept,
            connect: limits.connect,
            settings: Builder::new(),
        }
    }

    /// Sends a request over a kept connection that was idle for at most `max_idle`, else over a
    /// fresh one, and waits for the head of the answer. One that is not `repeatable` gets a kept
    /// connection only where the kernel has not heard of its end.
    pub(crate) async fn send(
        self: &Rc<Self>,
        instance: &Instance,
        request: Request<Upload>,
        max_idle: Duration,
        repeatable: bool,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let upload = request.body().progress();
        let mut request = request;
        let kept = self.take(instance.key, max_idle, repeatable);
        if let Some(mut connection) = kept {
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.lease(instance.key, connection, upload, response)),
                Err(mut failed) => match failed.take_message() {
                    // Others that were kept may be gone as well: a fresh one settles it.
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Sent { error: failed.into_error(), reused: true }),
                },
            }
        }
        let mut connection = match self.open(instance.addr).await {
            Ok(connection) => connection,
            Err(error) => return Err(Failure::Connect(Box::new(request), error)),
        };
        match connection.sender.try_send_request(request).await {
            Ok(response) => Ok(self.lease(instance.key, connection, upload, response)),
            Err(mut failed) => Err(match failed.take_message() {
                Some(unsent) => Failure::Unsent(Box::new(unsent)),
                None => Failure::Sent { error: failed.into_error(), reused: false },
            }),
        }
    }

    fn lease(
        self: &Rc<Self>,
        key: u64,
        connection: Connection,
        upload: Option<Rc<Progress>>,
        response: Response<Incoming>,
    ) -> (Response<Incoming>, Lease) {
        let keep = keep_alive(response.headers()).map_or(self.max_age, |said| {
            // A second less than it said, so that ours is not under way when it closes.
            said.saturating_sub(Duration::from_secs(1)).min(self.max_age)
        });
        (response, Lease { pools: self.clone(), key, connection, upload, keep })
    }

    /// The connection that was used last: it is the least likely to have been closed.
    fn take(&self, key: u64, max_idle: Duration, repeatable: bool) -> Option<Connection> {
        let mut pools = self.idle.borrow_mut();
        let pool = pools.get_mut(&key)?;
        while let Some(idle) = pool.pop_back() {
            let age = idle.since.elapsed();
            if age > max_idle.min(self.max_age) {
                if max_idle < self.max_age {
                    // Good enough for a request that may be sent twice.
                    pool.push_back(idle);
                }
                return None;
            }
            let Idle { connection, keep, .. } = idle;
            if age <= keep
                && connection.sender.is_ready()
                && (repeatable || connection.lookout.is_quiet())
            {
                return Some(connection);
            }
        }
        None
    }

    async fn open(&self, addr: SocketAddr) -> io::Result<Connection> {
        let stream = timeout(self.connect, TcpStream::connect(addr))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        socket::watch(&stream)?;
        let (socket, lookout) = socket::both(stream);
        let (sender, connection) =
            self.settings.handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
        tokio::task::spawn_local(async move {
            // Whoever sent the request hears of it as well, and decides what to do.
            if let Err(error) = connection.with_upgrades().await {
                tracing::trace!(instance.addr = %addr, %error, "a connection to an instance ended");
            }
        });
        Ok(Connection { sender, lookout })
    }

    /// Closes what has been idle for too long, and all of instances that `serves` does not know.
    pub(crate) fn sweep(&self, serves: impl Fn(u64) -> bool) {
        self.idle.borrow_mut().retain(|&key, pool| {
            pool.retain(|idle| {
                idle.since.elapsed() < idle.keep.min(self.max_age)
                    && !idle.connection.sender.is_closed()
            });
            !pool.is_empty() && serves(key)
        });
    }
}

impl Lease {
    /// The answer is through: the connection may take another request.
    pub(crate) fn give_back(self) {
        // An answer may come before the request was sent whole; the rest would be in the way.
        let sent = self.upload.is_none_or(|upload| upload.has_ended());
        if !sent || self.connection.sender.is_closed() {
            return;
        }
        let mut pools = self.pools.idle.borrow_mut();
        let pool = pools.entry(self.key).or_default();
        if pool.len() >= self.pools.max_count {
            pool.pop_front();
        }
        pool.push_back(Idle {
            connection: self.connection,
            since: Instant::now(),
            keep: self.keep,
        });
    }
}

/// How long an instance says that it keeps an idle connection: `Keep-Alive: timeout=5`.
fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = said.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

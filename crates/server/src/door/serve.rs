//! The sockets: connections are taken, bounded and ended.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::caller::Peer;
use super::{Local, router};
use crate::control::Control;

/// How many connections may be open at once from the network.
const FROM_NETWORK: usize = 512;

/// How many connections may be open at once on the owner's socket: a crowd before the one door
/// keeps nobody from the other.
const FROM_OWNER: usize = 128;

/// How long a peer may acknowledge nothing of what was sent to it.
const UNHEARD: Duration = Duration::from_mins(1);

/// How long the head of a request may take to come, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(15);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;

/// How long requests may take to end at shutdown.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long is waited where no connection can be taken: no file is left to open, most often.
const BREATH: Duration = Duration::from_millis(100);

/// Why the sockets could not be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A socket's own address cannot be told.
    #[error("cannot use a socket for the API")]
    Socket(#[from] std::io::Error),
}

/// Serves API and dashboard until shutdown: to the owner of the state folder on `owner`, to whoever
/// has a token on `network`.
pub async fn serve(
    control: Arc<Control>,
    owner: UnixListener,
    network: Vec<TcpListener>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let tasks = TaskTracker::new();
    let hall = |most| Hall {
        connections: Arc::new(Semaphore::new(most)),
        tasks: tasks.clone(),
        shutdown: shutdown.clone(),
    };
    let of_network = hall(FROM_NETWORK);
    for listener in network {
        tracing::info!(addr = %listener.local_addr()?, "API and dashboard listen");
        let inside = router(Arc::clone(&control), Local::Network);
        tasks.spawn(of_network.clone().take_network(listener, inside));
    }
    let inside = router(control, Local::Owner);
    hall(FROM_OWNER).take_owner(owner, inside).await;
    tasks.close();
    if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
        debug!("some requests were cut off at the end");
    }
    Ok(())
}

/// What all sockets share.
#[derive(Clone)]
struct Hall {
    connections: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Hall {
    async fn take_network(self, listener: TcpListener, inside: Router) {
        loop {
            let taken = tokio::select! {
                () = self.shutdown.cancelled() => return,
                taken = listener.accept() => taken,
            };
            match taken {
                Ok((stream, peer)) => {
                    prepare(&stream);
                    self.welcome(stream, Peer::Network(peer.ip()), &inside);
                }
                Err(error) => cannot_take(&error).await,
            }
        }
    }

    async fn take_owner(self, listener: UnixListener, inside: Router) {
        loop {
            let taken = tokio::select! {
                () = self.shutdown.cancelled() => return,
                taken = listener.accept() => taken,
            };
            match taken {
                Ok((stream, _)) => {
                    let uid = stream.peer_cred().ok().map(|it| it.uid());
                    self.welcome(stream, Peer::Socket(uid), &inside);
                }
                Err(error) => cannot_take(&error).await,
            }
        }
    }

    /// Serves one connection, if there is room; else it is closed at once.
    fn welcome<S>(&self, stream: S, peer: Peer, inside: &Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else {
            debug!("as many connections as may be open at once are open; one was closed");
            return;
        };
        let shutdown = self.shutdown.clone();
        let inside = TowerToHyperService::new(inside.clone());
        self.tasks.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(peer);
                hyper::service::Service::call(&inside, request)
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "a connection to the API broke");
            }
        });
    }
}

/// Answers are small and waited for; a peer that is gone without a word is found out. Where the
/// system will not have it so, the connection is served all the same.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(stream, true);
    let _ = sockopt::set_tcp_keepidle(stream, UNHEARD);
    let unheard_ms = u32::try_from(UNHEARD.as_millis()).unwrap_or(u32::MAX);
    let _ = sockopt::set_tcp_user_timeout(stream, unheard_ms);
}

async fn cannot_take(error: &std::io::Error) {
    warn!(%error, "no connection to the API can be taken; it is tried again");
    tokio::time::sleep(BREATH).await;
}

//! The process: its threads, started and stopped.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use toehold_core::wire::proxy::FromProxy;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, AccessLog};
use crate::alone::{Alone, BackendsError};
use crate::guests::Stay;
use crate::handover::{self, Handover, Patience};
use crate::limits::Limits;
use crate::link::{self, Desk};
use crate::listen;
use crate::probe;
use crate::registry::Registry;
use crate::tls::{self, Files, FilesError, Local};
use crate::worker::{Shared, Worker};

/// How often connections are looked at that were kept too long.
const SWEEP: Duration = Duration::from_secs(5);

/// How often is looked whether a thread that drains has.
const LOOK: Duration = Duration::from_millis(20);

/// The longest a proxy that takes over waits for routes that are newer than those that were kept.
const NEWEST: Duration = Duration::from_secs(2);

/// The longest the last report may take.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What a proxy is started with.
#[derive(Debug)]
pub struct Settings {
    /// Where the routes come from.
    pub source: Source,
    /// The listening sockets, one or more to an address. They stay open elsewhere or not, as the
    /// caller likes.
    pub listeners: Vec<TcpListener>,
    /// Those that speak TLS, in the same way. Their port is one for all.
    pub tls_listeners: Vec<TcpListener>,
    /// How many threads; one for each core is right. At least one is started.
    pub threads: usize,
    /// What visitors and instances are held to.
    pub limits: Limits,
    /// Where one process takes over from another.
    pub handover: Option<Handover>,
    /// A line for each request.
    pub access_log: Option<AccessLog>,
}

/// Where the routes come from.
#[derive(Debug)]
pub enum Source {
    /// A control plane.
    Control {
        /// The proxy's own folder, where it keeps the last routes; made where it is not there.
        dir: PathBuf,
        /// The control plane's socket for proxies; `None` serves the routes that were kept, for
        /// ever.
        socket: Option<PathBuf>,
        /// The version to name to the control plane.
        version: String,
    },
    /// Files that are followed.
    Files {
        /// A backend a line, `HOST:PORT` or `HOST:PORT*WEIGHT`.
        backends: PathBuf,
        /// A folder with `cert.pem` and `key.pem`.
        tls: Option<PathBuf>,
    },
}

/// Why a proxy could not be started.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// Its folder could not be made.
    #[error("cannot make the folder {dir}")]
    Dir {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of backends is no good.
    #[error(transparent)]
    Backends(#[from] BackendsError),
    /// The certificate is no good.
    #[error(transparent)]
    Certificate(#[from] FilesError),
    /// TLS cannot be had.
    #[error("cannot speak TLS")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// A listening socket could not be used.
    #[error("cannot accept connections on the sockets that were given")]
    Listen(#[source] io::Error),
    /// The access log could not be opened.
    #[error("cannot write the access log")]
    AccessLog(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Serves until `stop` is cancelled; then takes no new connections, and ends when the requests
/// under way are through, at the latest after [`Limits::shutdown`]. It ends as well when it has
/// drained ([`Handover::drains`]). Blocks.
pub fn run(settings: Settings, stop: &CancellationToken) -> Result<(), ProxyError> {
    let Settings { source, listeners, tls_listeners, threads, limits, .. } = settings;
    let (handover, access_log) = (settings.handover, settings.access_log);
    let threads = threads.max(1);
    let tls_listens = listens(&tls_listeners).map_err(ProxyError::Listen)?;
    let tls_port = tls_listens.first().map(SocketAddr::port);
    let listens = listens(&listeners).map_err(ProxyError::Listen)?;
    let listens = [listens, tls_listens].concat().iter().map(SocketAddr::to_string).collect();
    let sockets = listen::share_out(listeners, threads).map_err(ProxyError::Listen)?;
    let tls_sockets = listen::share_out(tls_listeners, threads).map_err(ProxyError::Listen)?;
    // A child: one thread that ends by an error stops the others, but not the caller's other work.
    let stop = stop.child_token();
    let _stop = stop.clone().drop_guard();
    // Where nobody takes over nobody ever says so.
    let (_nobody, never) = watch::channel(false);
    let drains = match &handover {
        Some(it) => (it.drains.clone(), it.patience),
        None => (never, Patience::default()),
    };
    let mut shared = Shared::new(threads, &limits, tls_port, stop, drains);
    let (access, writing) = match access_log {
        Some(log) => Access::open(log).map(|(access, writing)| (Some(access), Some(writing))),
        None => Ok((None, None)),
    }
    .map_err(ProxyError::AccessLog)?;
    shared.access = access;
    let shared = Arc::new(shared);
    let config = tls_port.map(|_| tls::config(shared.shown.clone())).transpose()?;
    let registry = Rc::new(RefCell::new(Registry::new(threads)));
    let runtime = runtime()?;
    // Before the first visitor is let in.
    let mut following = follow(source, &runtime, &shared, &registry, listens)?;
    if handover.as_ref().is_some_and(|it| it.takes_over) {
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = shared.routed.notified() => {}
                () = &mut following => {}
                () = sleep(NEWEST) => {}
            }
        });
    }

    let (alive, mut all_ended) = mpsc::channel::<()>(threads);
    let mut running = Vec::new();
    for (index, (plain, tls)) in sockets.into_iter().zip(tls_sockets).enumerate() {
        let (shared, alive, config) = (shared.clone(), alive.clone(), config.clone());
        let with = |config: Option<_>| move |listener| (listener, config.clone());
        let share = plain.into_iter().map(with(None)).chain(tls.into_iter().map(with(config)));
        let share: Vec<_> = share.collect();
        let thread = thread::Builder::new().name(format!("proxy-{index}")).spawn(move || {
            let _stop = shared.stop.clone().drop_guard();
            serve(index, &shared, share, &alive)
        });
        running.push(thread.map_err(ProxyError::Thread)?);
    }
    drop(alive);
    runtime.block_on(async {
        tokio::task::spawn_local(probe::run(shared.clone(), registry));
        let following = tokio::task::spawn_local(following);
        let mut accepting = 0;
        while accepting < threads && all_ended.recv().await.is_some() {
            accepting += 1;
        }
        if let Some(Handover { ready, .. }) = handover.filter(|_| accepting == threads) {
            // Whoever does not listen does not need to know.
            let _ = ready.send(());
        }
        // Nothing more is sent: it says that the last sender is gone.
        let _ = all_ended.recv().await;
        shared.over.cancel();
        let _ = timeout(LAST_WORD, following).await;
    });
    if let Some((access, writing)) = shared.access.as_ref().zip(writing.as_ref()) {
        access.end(writing);
    }
    for thread in running {
        thread.join().map_err(|_| ProxyError::Thread(io::Error::other("a thread panicked")))??;
    }
    Ok(())
}

/// Puts the first routes in force; what comes back follows them.
fn follow(
    source: Source,
    runtime: &LocalRuntime,
    shared: &Arc<Shared>,
    registry: &Rc<RefCell<Registry>>,
    listens: Vec<String>,
) -> Result<Pin<Box<dyn Future<Output = ()>>>, ProxyError> {
    match source {
        Source::Control { dir, socket, version } => {
            std::fs::create_dir_all(&dir)
                .map_err(|source| ProxyError::Dir { dir: dir.clone(), source })?;
            if shared.tls_port.is_some() {
                match Local::open(&dir) {
                    Ok(local) => shared.shown.vouch_for_localhost(local),
                    // Others have certificates all the same.
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "localhost has no certificate"
                    ),
                }
            }
            let desk = Rc::new(Desk::open(shared.clone(), registry.clone(), &dir));
            let hello = FromProxy::Hello { version, listens };
            Ok(match socket {
                Some(socket) => Box::pin(link::run(desk, socket, hello)),
                None => Box::pin(std::future::ready(())),
            })
        }
        Source::Files { backends, tls } => {
            let opening = Alone::open(shared.clone(), registry.clone(), backends);
            let (alone, over) = (runtime.block_on(opening)?, shared.over.clone());
            shared.routed.notify_one();
            let certificate = match tls {
                Some(dir) => Some(Files::open(dir, shared.shown.clone())?),
                None => None,
            };
            Ok(Box::pin(async move {
                let follow_certificate = async {
                    if let Some(files) = certificate {
                        files.follow().await;
                    }
                };
                let both = async { tokio::join!(alone.follow(), follow_certificate) };
                let _ = over.run_until_cancelled(both).await;
            }))
        }
    }
}

/// One thread: accepts and serves until it is asked to stop and all is through.
fn serve(
    index: usize,
    shared: &Arc<Shared>,
    listeners: Vec<(TcpListener, Option<Arc<ServerConfig>>)>,
    alive: &mpsc::Sender<()>,
) -> Result<(), ProxyError> {
    runtime()?.block_on(async {
        let worker = Rc::new(Worker::new(index, shared.clone()));
        let mut accepting = Vec::new();
        for (socket, tls) in listeners {
            let first = socket.try_clone().and_then(tokio::net::TcpListener::from_std);
            let first = first.map_err(ProxyError::Listen)?;
            let accepts = listen::accept(worker.clone(), socket, first, tls);
            accepting.push(tokio::task::spawn_local(accepts));
        }
        let sweeper = tokio::task::spawn_local(sweep(worker.clone()));
        // There is room for each thread's word.
        let _ = alive.try_send(());
        drain(index, &worker).await;
        sweeper.abort();
        worker.guests.may(Stay::Stopping(std::time::Instant::now()));
        let until = Instant::now() + shared.limits.shutdown;
        while worker.guests.count() > 0 && Instant::now() < until {
            sleep(LOOK).await;
        }
        for ended in accepting {
            if let Ok(ended) = ended.await {
                ended.map_err(ProxyError::Listen)?;
            }
        }
        Ok(())
    })
}

/// Looks after a thread that may have to drain, until the proxy is asked to stop.
async fn drain(index: usize, worker: &Worker) {
    let shared = &worker.shared;
    let longest = shared.patience.answers.max(shared.patience.tunnels);
    let mut drains = shared.drains.clone();
    let mut until = None;
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            drains = handover::next(&mut drains) => {
                let now = std::time::Instant::now();
                worker.guests.may(if drains { Stay::Draining(now) } else { Stay::Welcome });
                until = drains.then(|| Instant::now() + longest);
                shared.drained(index, false);
            }
            () = sleep(LOOK), if until.is_some() => {
                let is_late = until.is_some_and(|until| Instant::now() >= until);
                shared.drained(index, worker.guests.count() == 0 || is_late);
            }
        }
    }
}

async fn sweep(worker: Rc<Worker>) {
    loop {
        sleep(SWEEP).await;
        let table = worker.table();
        worker.pools.sweep(|key| table.holds(key));
        worker.channels.sweep(|key| table.holds(key));
    }
}

fn runtime() -> Result<LocalRuntime, ProxyError> {
    Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(ProxyError::Thread)
}

/// The addresses, each once.
fn listens(listeners: &[TcpListener]) -> io::Result<Vec<SocketAddr>> {
    let mut listens = Vec::new();
    for listener in listeners {
        listens.push(listener.local_addr()?);
    }
    listens.dedup();
    Ok(listens)
}

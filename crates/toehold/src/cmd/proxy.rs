//! `toehold proxy`: the proxy alone.

mod notify;
mod succession;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use toehold_host::lock::FolderLock;
use toehold_proxy::{AccessFormat, AccessLog, AccessTo, Handover, Patience, ProxyError, Source};
use toehold_server::fleet::Fleet;
use toehold_server::settings::{Drain, LogFormat, Settings};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::args::{AccessLogFormat, Proxy};
use crate::cmd::process;
use crate::cmd::proxy::succession::{Folder, Succession, copies};
use crate::context::{self, Context};
use crate::handover::Line;
use crate::program::Program;
use crate::report::{Failure, Outcome};

/// Where one without a control plane listens where nobody says otherwise.
const ALONE: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Runs until SIGINT or SIGTERM, or until another process has taken over and all is through.
pub fn run(context: &Context, proxy: &Proxy) -> Outcome {
    process::prepare(context, proxy.parent)?;
    raise_file_limit();
    let threads = proxy
        .cpus
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let cannot = |error: std::io::Error| Failure::world("cannot start").because(&error);
    let program = Program::ours().map_err(cannot)?;
    let starter = context.block_on(async { Line::of_starter() }).map_err(cannot)?;
    let takes_over = starter.as_ref().is_some_and(|(_, takes_over)| *takes_over);
    let home = Home::of(context, proxy, takes_over)?;
    let (listeners, tls_listeners) = home.listeners(proxy, threads)?;
    let (drains, drain) = watch::channel(false);
    let (ready, serves) = oneshot::channel();
    let succession = Succession {
        program,
        sockets: [copies(&listeners)?, copies(&tls_listeners)?].into_iter().flatten().collect(),
        starter: starter.map(|(line, _)| line),
        supervised: proxy.parent.supervised,
        folder: home.folder,
        drains,
    };
    let patience = patience(home.settings.as_ref());
    let settings = toehold_proxy::Settings {
        source: home.source,
        listeners,
        tls_listeners,
        threads,
        limits: toehold_proxy::Limits::default(),
        handover: Some(Handover { drains: drain, ready, takes_over, patience }),
        access_log: access_log(proxy, home.settings.as_ref())?,
    };
    let shutdown = CancellationToken::new();
    context.block_on(async { process::on_signals(&shutdown) })?;
    let proxy = std::thread::spawn({
        let shutdown = shutdown.clone();
        move || {
            // Where it ends by itself there is nothing left to wait for.
            let _ended = shutdown.clone().drop_guard();
            toehold_proxy::run(settings, &shutdown)
        }
    });
    // This thread waits for signals; the proxy's own threads do the work.
    // Its copies of the sockets are closed with it: nobody waits at one that is not served.
    let succeeded = context.block_on(succession.watch(serves, &shutdown));
    shutdown.cancel();
    match proxy.join() {
        Ok(ended) => ended.map_err(|error| match &error {
            ProxyError::Backends(error) => Failure::user("cannot run the proxy").because(error),
            ProxyError::Certificate(error) => Failure::user("cannot speak TLS").because(error),
            error @ ProxyError::AccessLog(_) => {
                Failure::user("cannot run the proxy").because(error)
            }
            error => Failure::world("the proxy ended").because(error),
        })?,
        Err(_) => return Err(Failure::world("the proxy ended by a fault of its own")),
    }
    succeeded
}

/// What it works from.
struct Home {
    source: Source,
    /// What is set for the control plane it belongs to.
    settings: Option<Settings>,
    /// Its folder, where it has one.
    folder: Option<Folder>,
}

impl Home {
    /// One that takes over gets its folder only once the process before lets go of it.
    fn of(context: &Context, proxy: &Proxy, takes_over: bool) -> Result<Self, Failure> {
        if let Some(file) = &proxy.backends {
            let source = Source::Files { backends: file.clone(), tls: proxy.tls.clone() };
            return Ok(Self { source, settings: None, folder: None });
        }
        let layout = context.layout()?;
        let dir = layout.proxy();
        let lock = if takes_over { Ok(None) } else { FolderLock::take(&dir).map(Some) };
        let lock = lock.map_err(|error| Failure::user("cannot run the proxy").because(&error))?;
        let folder = Some(Folder { dir, lock });
        let source = Source::Control {
            dir: layout.proxy(),
            socket: Some(Fleet::proxy_socket(&layout.run())),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let settings = Some(context::settings(&layout)?);
        Ok(Self { source, settings, folder })
    }

    /// Its sockets: those that were handed in, else its own; without TLS and with it.
    fn listeners(
        &self,
        proxy: &Proxy,
        threads: usize,
    ) -> Result<(Vec<TcpListener>, Vec<TcpListener>), Failure> {
        let handed_in = process::handed_in()?;
        let Some(settings) = &self.settings else {
            let listeners = if handed_in.is_empty() {
                listen(proxy.listen.unwrap_or(ALONE.into()), threads)?
            } else {
                handed_in
            };
            let none = Vec::new();
            return Ok(if proxy.tls.is_some() { (none, listeners) } else { (listeners, none) });
        };
        let tls = proxy.listen_tls.or(settings.listen_tls);
        if handed_in.is_empty() {
            let listeners = listen(proxy.listen.unwrap_or(settings.listen), threads)?;
            let tls = tls.map_or(Ok(Vec::new()), |addr| listen(addr, threads))?;
            return Ok((listeners, tls));
        }
        let port = |it: &TcpListener| it.local_addr().map(|addr| addr.port()).ok();
        let is_plain = |it: &TcpListener| tls.is_none_or(|tls| port(it) != Some(tls.port()));
        Ok(handed_in.into_iter().partition(is_plain))
    }
}

/// How long what is under way may go on once another process has taken over.
fn patience(settings: Option<&Settings>) -> Patience {
    let (set, usual) = (settings.map(|it| &it.proxy), Patience::default());
    let of = |drain: Option<Drain>, usual| drain.map_or(usual, |drain| drain.0);
    Patience {
        answers: of(set.and_then(|it| it.drain), usual.answers),
        tunnels: of(set.and_then(|it| it.tunnel_drain), usual.tunnels),
    }
}

/// The access log: as it was asked for, else as it is set.
fn access_log(proxy: &Proxy, settings: Option<&Settings>) -> Result<Option<AccessLog>, Failure> {
    let set = settings.map(|it| &it.proxy);
    let set_path = set.and_then(|it| it.access_log.clone());
    let Some(path) = proxy.access_log.clone().or(set_path) else { return Ok(None) };
    let format = match (proxy.access_log_format, set.map(|it| it.access_log_format)) {
        (Some(AccessLogFormat::Combined), _) | (None, Some(LogFormat::Combined)) => {
            AccessFormat::Combined
        }
        (Some(AccessLogFormat::Json) | None, _) => AccessFormat::Json,
    };
    let to = if path.as_os_str() == "-" {
        let stdout = std::io::stdout().as_fd().try_clone_to_owned().map_err(|error| {
            Failure::world("cannot write the access log to stdout").because(&error)
        })?;
        AccessTo::Open(stdout.into())
    } else {
        AccessTo::Path(path)
    };
    Ok(Some(AccessLog { to, format }))
}

/// Each visitor takes a descriptor or two: as many as the system lets this process have.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = ?limit.current, "the limit of open files could not be raised");
    }
}

/// A socket for each thread.
fn listen(addr: SocketAddr, count: usize) -> Result<Vec<TcpListener>, Failure> {
    let open = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    (0..count).map(|_| open()).collect::<Result<_, _>>().map_err(|error| {
        Failure::user(format!("cannot listen on {addr}"))
            .because(&error)
            .hint("choose another with --listen")
    })
}

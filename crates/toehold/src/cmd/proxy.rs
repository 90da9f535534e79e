//! `toehold proxy`: the proxy alone.

use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use toehold_host::lock::FolderLock;
use toehold_proxy::{ProxyError, Source};
use toehold_server::fleet::Fleet;
use toehold_server::layout::Layout;
use tokio_util::sync::CancellationToken;

use crate::args::Proxy;
use crate::cmd::process;
use crate::context::{self, Context};
use crate::report::{Failure, Outcome};

/// Where one without a control plane listens where nobody says otherwise.
const ALONE: ([u8; 4], u16) = ([127, 0, 0, 1], 8080);

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Runs until SIGINT or SIGTERM.
pub fn run(context: &Context, proxy: &Proxy) -> Outcome {
    process::prepare(context, proxy.parent)?;
    raise_file_limit();
    let threads = proxy
        .cpus
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let home = Home::of(context, proxy)?;
    let (listeners, tls_listeners) = home.listeners(proxy, threads)?;
    let settings = toehold_proxy::Settings {
        source: home.source,
        listeners,
        tls_listeners,
        threads,
        limits: toehold_proxy::Limits::default(),
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
    context.block_on(shutdown.cancelled());
    match proxy.join() {
        Ok(ended) => ended.map_err(|error| match &error {
            ProxyError::Backends(error) => Failure::user("cannot run the proxy").because(error),
            ProxyError::Certificate(error) => Failure::user("cannot speak TLS").because(error),
            error => Failure::world("the proxy ended").because(error),
        }),
        Err(_) => Err(Failure::world("the proxy ended by a fault of its own")),
    }
}

/// What it works from.
struct Home {
    source: Source,
    /// The state folder of the control plane it belongs to.
    layout: Option<Layout>,
    /// Its folder, where it has one: nobody else works from there for as long as it runs.
    _lock: Option<FolderLock>,
}

impl Home {
    fn of(context: &Context, proxy: &Proxy) -> Result<Self, Failure> {
        if let Some(file) = &proxy.backends {
            let source = Source::Files { backends: file.clone(), tls: proxy.tls.clone() };
            return Ok(Self { source, layout: None, _lock: None });
        }
        let layout = context.layout()?;
        let lock = FolderLock::take(&layout.proxy())
            .map_err(|error| Failure::user("cannot run the proxy").because(&error))?;
        let source = Source::Control {
            dir: layout.proxy(),
            socket: Some(Fleet::proxy_socket(&layout.run())),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(Self { source, layout: Some(layout), _lock: Some(lock) })
    }

    /// Its sockets: those that were handed in, else its own; without TLS and with it.
    fn listeners(
        &self,
        proxy: &Proxy,
        threads: usize,
    ) -> Result<(Vec<TcpListener>, Vec<TcpListener>), Failure> {
        let handed_in = process::handed_in()?;
        let Some(layout) = &self.layout else {
            let listeners = if handed_in.is_empty() {
                listen(proxy.listen.unwrap_or(ALONE.into()), threads)?
            } else {
                handed_in
            };
            let none = Vec::new();
            return Ok(if proxy.tls.is_some() { (none, listeners) } else { (listeners, none) });
        };
        let settings = context::settings(layout)?;
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

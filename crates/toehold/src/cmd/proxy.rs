//! `toehold proxy`: the proxy alone.

use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};
use toehold_host::lock::FolderLock;
use toehold_server::fleet::Fleet;
use tokio_util::sync::CancellationToken;

use crate::args::Proxy;
use crate::cmd::process;
use crate::context::{self, Context};
use crate::report::{Failure, Outcome};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Runs until SIGINT or SIGTERM.
pub fn run(context: &Context, proxy: &Proxy) -> Outcome {
    process::prepare(context, proxy.parent)?;
    raise_file_limit();
    let layout = context.layout()?;
    let _lock = FolderLock::take(&layout.proxy())
        .map_err(|error| Failure::user("cannot run the proxy").because(&error))?;
    let threads = proxy
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .max(1);
    let mut listeners = process::handed_in()?;
    if listeners.is_empty() {
        let addr = match proxy.listen {
            Some(addr) => addr,
            None => context::settings(&layout)?.listen,
        };
        listeners = listen(addr, threads)?;
    }
    let settings = toehold_proxy::Settings {
        dir: layout.proxy(),
        socket: Some(Fleet::proxy_socket(&layout.run())),
        listeners,
        threads,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        limits: toehold_proxy::Limits::default(),
    };
    let shutdown = CancellationToken::new();
    context.block_on(async { process::on_signals(&shutdown) })?;
    let proxy = std::thread::spawn({
        let shutdown = shutdown.clone();
        move || toehold_proxy::run(settings, &shutdown)
    });
    // This thread waits for signals; the proxy's own threads do the work.
    context.block_on(shutdown.cancelled());
    match proxy.join() {
        Ok(ended) => ended.map_err(|error| Failure::world("the proxy ended").because(&error)),
        Err(_) => Err(Failure::world("the proxy ended by a fault of its own")),
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

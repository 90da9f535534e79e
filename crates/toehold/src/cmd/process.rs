//! What the three processes have in common: signals, a parent, sockets that were handed in, a log.

use std::net::TcpListener;

use listenfd::ListenFd;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::Parent;
use crate::context::Context;
use crate::report::{Failure, Outcome};

/// Before anything else: the log, and the tie to whoever started us.
pub fn prepare(context: &Context, parent: Parent) -> Outcome {
    let filter = EnvFilter::try_from_env("TOEHOLD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false);
    if context.json() {
        log.json().init();
    } else {
        log.init();
    }
    if parent.supervised {
        tie_to_parent()?;
    }
    Ok(())
}

/// Ends this process with SIGTERM when its parent is gone. Where it was gone already before the tie
/// was made, it ends now.
fn tie_to_parent() -> Outcome {
    let cannot = |error: rustix::io::Errno| Failure::world("cannot start").because(&error);
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(cannot)?;
    match getppid() {
        Some(parent) if !parent.is_init() => Ok(()),
        _ => Err(Failure::world("whoever started this process is gone")),
    }
}

/// Cancels at SIGINT or SIGTERM.
pub fn on_signals(shutdown: &CancellationToken) -> Outcome {
    let cannot = |error: std::io::Error| Failure::world("cannot wait for signals").because(&error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}

/// The sockets that were handed in by systemd's `LISTEN_FDS`.
pub fn handed_in() -> Result<Vec<TcpListener>, Failure> {
    let mut handed_in = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(handed_in.len());
    for place in 0..handed_in.len() {
        let taken = handed_in.take_tcp_listener(place).map_err(|error| {
            Failure::user("the sockets that were handed in cannot be used").because(&error)
        })?;
        listeners.extend(taken);
    }
    Ok(listeners)
}

//! The proxy that runs, and the one that takes its place: at SIGUSR2 the program as it lies on disk
//! now is started with the same sockets, and once it serves this process drains.

use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use toehold_host::lock::FolderLock;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::cmd::proxy::notify;
use crate::handover::{Line, Word};
use crate::program::Program;
use crate::report::{Failure, Outcome};

/// How often the folder is asked for that the process before lets go of.
const ASK: Duration = Duration::from_millis(50);

/// Everything a succession needs.
pub struct Succession {
    /// What is started.
    pub program: Program,
    /// The sockets, for whoever comes next.
    pub sockets: Vec<TcpListener>,
    /// To whoever started this process, where that is Toehold as well.
    pub starter: Option<Line>,
    /// Somebody else looks after upgrades.
    pub supervised: bool,
    /// The folder nobody else works from; `None` where there is none.
    pub folder: Option<Folder>,
    /// Whether this process drains.
    pub drains: watch::Sender<bool>,
}

/// The proxy's folder, and the lock on it while it is ours.
pub struct Folder {
    pub dir: std::path::PathBuf,
    pub lock: Option<FolderLock>,
}

impl Folder {
    /// Takes it once the process before has let go of it.
    async fn take(&mut self) {
        while self.lock.is_none() {
            match FolderLock::take(&self.dir) {
                Ok(lock) => self.lock = Some(lock),
                Err(_) => sleep(ASK).await,
            }
        }
    }
}

impl Succession {
    /// Looks after it until the proxy has ended or is told to. The answer is an error where it has
    /// drained, and whoever should serve now does not.
    pub async fn watch(
        mut self,
        mut serves: oneshot::Receiver<()>,
        shutdown: &CancellationToken,
    ) -> Outcome {
        let cannot =
            |error: std::io::Error| Failure::world("cannot wait for signals").because(&error);
        let mut upgrade = signal(SignalKind::user_defined2()).map_err(cannot)?;
        // Whoever turns logs over may say so; the access log's file is followed without that.
        let mut turned_over = signal(SignalKind::user_defined1()).map_err(cannot)?;
        let mut successor: Option<Child> = None;
        let mut served = false;
        loop {
            let drains = *self.drains.borrow();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Ok(()) = &mut serves, if !served => {
                    served = true;
                    self.serves().await;
                }
                () = take(&mut self.folder), if served && !drains => {}
                word = told(&mut self.starter) => match word {
                    Some(word) => self.drain(word == Word::Drain),
                    None => self.starter = None,
                },
                status = ended(&mut successor) => {
                    tracing::error!(%status, "the process that took over ended: this one serves again");
                    successor = None;
                    self.drain(false);
                    notify::served_by(std::process::id());
                }
                () = asked(&mut turned_over) => {}
                () = asked(&mut upgrade) => match self.upgrade(drains, shutdown).await {
                    Ok(child) => successor = Some(child),
                    Err(why) => tracing::error!("there is no upgrade: {why}"),
                },
            }
        }
        match successor.as_mut().map(Child::try_wait) {
            Some(Ok(Some(_))) if *self.drains.borrow() => {
                Err(Failure::world("the process that took over has ended"))
            }
            _ => Ok(()),
        }
    }

    async fn serves(&mut self) {
        if let Some(starter) = &mut self.starter {
            starter.ready().await;
        }
        if !self.supervised {
            notify::ready();
        }
    }

    fn drain(&mut self, drains: bool) {
        self.drains.send_replace(drains);
        if let Some(folder) = self.folder.as_mut().filter(|_| drains) {
            folder.lock = None;
        }
        if drains {
            tracing::info!("another process takes the visitors: what is under way here goes on");
        }
    }

    async fn upgrade(
        &mut self,
        drains: bool,
        shutdown: &CancellationToken,
    ) -> Result<Child, String> {
        if self.supervised {
            return Err("send SIGUSR2 to `toehold up`, which starts this process".into());
        }
        if drains {
            return Err("another process took over already".into());
        }
        self.program.check()?;
        tracing::info!(program = %self.program.path().display(), "an upgrade begins");
        let cannot = |error: std::io::Error| format!("it cannot be started: {error}");
        let arguments = std::env::args_os().skip(1);
        let mut command = self.program.command(arguments, &self.sockets).map_err(cannot)?;
        let mut line = Line::to(&mut command, true).map_err(cannot)?;
        let mut child = Command::from(command).spawn().map_err(cannot)?;
        let came = tokio::select! {
            came = line.until_ready(&mut child) => came,
            () = shutdown.cancelled() => {
                let _ = child.kill().await;
                Err("this process is to end".into())
            }
        };
        came?;
        let pid = child.id().unwrap_or_default();
        tracing::info!(pid, "process {pid} serves from now on");
        notify::served_by(pid);
        self.drain(true);
        Ok(child)
    }
}

/// The folder becomes ours; never ready where it is or there is none.
async fn take(folder: &mut Option<Folder>) {
    match folder.as_mut().filter(|it| it.lock.is_none()) {
        Some(folder) => folder.take().await,
        None => std::future::pending().await,
    }
}

/// What whoever started us says.
async fn told(starter: &mut Option<Line>) -> Option<Word> {
    match starter {
        Some(starter) => starter.told().await,
        None => std::future::pending().await,
    }
}

/// The process that took over has ended.
async fn ended(successor: &mut Option<Child>) -> ExitStatus {
    match successor {
        Some(child) => child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(0)),
        None => std::future::pending().await,
    }
}

async fn asked(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The sockets once more, for whoever comes next.
pub fn copies(sockets: &[TcpListener]) -> Result<Vec<TcpListener>, Failure> {
    sockets
        .iter()
        .map(TcpListener::try_clone)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::world("cannot keep the sockets").because(&error))
}

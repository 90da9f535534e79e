//! A command of the app's: run in a session of its own, watched, and gone with everything it began.

mod begin;
mod limits;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use toehold_core::pipeline::Ended;
use toehold_core::tell::chain;
use toehold_host::cgroup::Cgroup;
use toehold_host::process::{Marker, Tree};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::builder::order::Limits;
use crate::builder::output::Log;

/// How often a step is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long what was still in the pipe is read after everything was killed.
const DRAIN: Duration = Duration::from_secs(2);

/// A command to be run.
pub(super) struct Command<'a> {
    /// The user's own words, for `sh -c`.
    pub(super) line: &'a str,
    /// The checkout.
    pub(super) dir: &'a Path,
    /// Its whole environment.
    pub(super) env: &'a [(OsString, OsString)],
    /// By which its processes are found.
    pub(super) marker: &'a Marker,
    /// The name of its cgroup.
    pub(super) group: &'a str,
    /// The longest it may take.
    pub(super) timeout: Duration,
    /// The longest it may say nothing.
    pub(super) idle_timeout: Duration,
    /// What it may use.
    pub(super) limits: &'a Limits,
    /// Where it may write, the checkout among them.
    pub(super) writable: Vec<PathBuf>,
}

/// Why there is no end to speak of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cancelled;

/// Runs a command to its end and says how it ended; nothing it began is left. Its output goes to
/// `log`.
pub(super) async fn run(
    command: &Command<'_>,
    log: &mut Log,
    cancel: &CancellationToken,
) -> Result<Ended, Cancelled> {
    let running = match Running::start(command).await {
        Ok(running) => running,
        Err(error) => return Ok(Ended::NotStarted(chain(&error))),
    };
    running.watch(command, log, cancel).await
}

struct Running {
    tree: Tree,
    child: tokio::process::Child,
    output: Receiver,
    group: Option<Cgroup>,
    memory_bytes: u64,
    ended: bool,
}

/// What came first.
enum Next {
    Cancelled,
    Output(io::Result<usize>),
    Exit(io::Result<ExitStatus>),
    Look,
}

impl Running {
    async fn watch(
        mut self,
        command: &Command<'_>,
        log: &mut Log,
        cancel: &CancellationToken,
    ) -> Result<Ended, Cancelled> {
        let began = Instant::now();
        let mut spoke = began;
        let mut open = true;
        let mut piece = Vec::with_capacity(64 << 10);
        let mut look = began + LOOK;
        let ended = loop {
            piece.clear();
            let next = tokio::select! {
                () = cancel.cancelled() => Next::Cancelled,
                read = self.output.read_buf(&mut piece), if open => Next::Output(read),
                exit = self.child.wait() => Next::Exit(exit),
                () = sleep_until(look) => Next::Look,
            };
            match next {
                Next::Cancelled => {
                    self.end(log).await;
                    return Err(Cancelled);
                }
                Next::Output(Ok(1..)) => {
                    spoke = Instant::now();
                    log.take(&piece);
                }
                Next::Output(Ok(0) | Err(_)) => open = false,
                Next::Exit(Ok(status)) => break exited(status),
                Next::Exit(Err(error)) => break Ended::NotStarted(chain(&error)),
                Next::Look if began.elapsed() >= command.timeout => {
                    break Ended::TimedOut(command.timeout);
                }
                Next::Look if spoke.elapsed() >= command.idle_timeout => {
                    break Ended::Silent(command.idle_timeout);
                }
                Next::Look => {
                    let looked = Instant::now();
                    if let Some(why) = self.over(command) {
                        break Ended::Stopped(why);
                    }
                    // A machine full of processes is looked at less often.
                    look = Instant::now() + LOOK.max(looked.elapsed() * 20);
                }
            }
        };
        let ended = if !ended.passed() && self.ran_out_of_memory() {
            Ended::Stopped(self.memory())
        } else {
            ended
        };
        self.end(log).await;
        Ok(ended)
    }

    /// Kills what is left of it, and takes what it still had to say.
    async fn end(&mut self, log: &mut Log) {
        if let Err(error) = self.tree.kill().await {
            tracing::error!(error = %error, "processes of a build cannot be ended");
            log.say(&error.to_string());
        }
        let _ = self.child.wait().await;
        self.ended = true;
        let drain = async {
            let mut piece = Vec::with_capacity(64 << 10);
            while matches!(self.output.read_buf(&mut piece).await, Ok(1..)) {
                log.take(&piece);
                piece.clear();
            }
        };
        // Somebody outside the tree may hold the pipe open for ever.
        let _ = timeout(DRAIN, drain).await;
        if let Some(group) = &self.group {
            let _ = group.remove().await;
        }
    }
}

impl Drop for Running {
    /// A build whose task is dropped leaves nothing running either.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.tree.signal(Signal::KILL);
        let (tree, group) = (self.tree.clone(), self.group.take());
        // Where the whole process ends, its successor sweeps.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = tree.kill().await;
                if let Some(group) = group {
                    let _ = group.remove().await;
                }
            });
        }
    }
}

fn exited(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::NotStarted("it ended in no way there is".to_owned()),
    }
}

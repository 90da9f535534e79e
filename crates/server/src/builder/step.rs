//! A command of the app's: run in a session of its own, watched, and gone with everything it began.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt as _;
use toehold_core::model::RunId;
use toehold_core::pipeline::Ended;
use toehold_host::cgroup::{self, Cgroup};
use toehold_host::disk::free_bytes;
use toehold_host::process::{Launch, Marker, Tree};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::builder::fence;
use crate::builder::order::Limits;
use crate::builder::output::Log;
use crate::builder::space::size;
use crate::builder::threads;

/// How often a step is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long what was still in the pipe is read after everything was killed.
const DRAIN: Duration = Duration::from_secs(2);

/// How much gentler than Toehold itself a build is.
const NICE: i32 = 10;

/// A shell that stops itself before it becomes the command's: whatever the command begins is then
/// born within its limits.
const GATE: &str = "kill -STOP $$; exec /bin/sh -c \"$0\"";

/// The longest the gate is waited for.
const GATE_TIMEOUT: Duration = Duration::from_secs(5);

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
    async fn start(command: &Command<'_>) -> io::Result<Self> {
        let memory_bytes = command.limits.memory_bytes.unwrap_or_else(usual_memory);
        let group = Cgroup::create(
            command.group,
            &cgroup::Limits {
                cpus: 1.0,
                memory_bytes: Some(memory_bytes),
                // A hard stop behind the one that says why.
                pids: Some(command.limits.processes as u64 * 4),
            },
        );
        let (reader, writer) = io::pipe()?;
        let launch = Launch {
            argv: ["/bin/sh", "-c", GATE, command.line].map(OsString::from).into(),
            env: command.env.to_vec(),
            dir: command.dir.to_owned(),
            stdout: Stdio::from(writer.try_clone()?),
            stderr: Stdio::from(writer),
            marker: command.marker.clone(),
            nice: NICE,
            // Joined below: behind the fence, nobody can.
            cgroup: None,
        };
        let writable = command.limits.fenced.then(|| command.writable.clone());
        let (tree, child) = fence::start(launch, writable).await?;
        let leader = tree.leader();
        stopped(leader).await;
        let group = group.filter(|group| group.add(leader.pid).is_ok());
        let tree = Tree::new(leader, command.marker.clone(), group.clone());
        threads::limit(leader.pid, command.limits.processes as u64 * 4);
        if let Some(pid) = i32::try_from(leader.pid).ok().and_then(Pid::from_raw) {
            // A failure means that it has ended, which its exit code will tell.
            let _ = kill_process(pid, Signal::CONT);
        }
        let output = Receiver::from_owned_fd(reader.into())?;
        Ok(Self { tree, child, output, group, memory_bytes, ended: false })
    }

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
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            piece.clear();
            let next = tokio::select! {
                () = cancel.cancelled() => Next::Cancelled,
                read = self.output.read_buf(&mut piece), if open => Next::Output(read),
                exit = self.child.wait() => Next::Exit(exit),
                _ = looks.tick() => Next::Look,
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
                    if let Some(why) = self.over(command) {
                        break Ended::Stopped(why);
                    }
                }
            }
        };
        let out_of_memory = self.group.as_ref().and_then(Cgroup::oom_kills).unwrap_or(0) > 0;
        self.end(log).await;
        Ok(match ended {
            ended @ (Ended::Code(1..) | Ended::Signal(_)) if out_of_memory => {
                log.say(&format!("the kernel ended a process of it: {}", self.memory()));
                match ended {
                    Ended::Code(_) => Ended::Stopped(self.memory()),
                    other => other,
                }
            }
            ended => ended,
        })
    }

    /// The limit that is exceeded, in words.
    fn over(&self, command: &Command<'_>) -> Option<String> {
        let processes = self.tree.stats();
        if processes.len() > command.limits.processes {
            return Some(format!("it had more than {} processes", command.limits.processes));
        }
        let page = rustix::param::page_size() as u64;
        let used: u64 = processes.iter().map(|it| resident_pages(it.run.pid) * page).sum();
        if used > self.memory_bytes {
            return Some(self.memory());
        }
        // A disk that fills up harms everyone, so it is left before it is full.
        let free = free_bytes(command.dir).unwrap_or(u64::MAX);
        let reserve = command.limits.free_bytes / 2;
        if free < reserve {
            let dir = command.dir.display();
            return Some(format!("it left only {} free on the disk of {dir}", size(free)));
        }
        None
    }

    fn memory(&self) -> String {
        format!("it used more than {} of memory", size(self.memory_bytes))
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
        if !self.ended {
            self.tree.signal(Signal::KILL);
        }
    }
}

/// Waits until the process has stopped itself, or has ended.
async fn stopped(run: RunId) {
    let is_stopped = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", run.pid)).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('T' | 'Z') | None)
    };
    let began = Instant::now();
    while !is_stopped() && began.elapsed() < GATE_TIMEOUT {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn exited(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::NotStarted("it ended in no way there is".to_owned()),
    }
}

fn resident_pages(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn usual_memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram) / 4 * 3
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

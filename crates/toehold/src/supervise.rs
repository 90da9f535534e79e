//! Keeps processes of this same program running: starts each again when it ends, a little later
//! each time, and ends them all when asked.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::report::Failure;

/// Systemd's convention: the first descriptor that is handed in.
const FIRST_FD: i32 = 3;

/// The shortest and the longest wait before a process is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A process that ran this long starts again without a wait.
const STEADY: Duration = Duration::from_secs(10);

/// The largest log of a process before it becomes `NAME.log.1`, in bytes.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;

/// The exit code by which a process says that starting it again will not help.
const USERS_TURN: i32 = 2;

/// How glibc keeps memory: one heap, and large blocks go back to the machine once they are free. By
/// its defaults a part would hold on to the most it ever needed, after one large artifact for months.
/// A machine whose C library is another one takes no notice.
const MEMORY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072",
);

/// One process to keep running.
pub struct Part {
    /// `serve`, `proxy` or `agent`.
    pub name: &'static str,
    /// Its arguments, the verb first.
    pub arguments: Vec<String>,
    /// Sockets it gets from us, by systemd's `LISTEN_FDS`: they stay open while it is away, so that
    /// nobody who connects is refused.
    pub sockets: Vec<OwnedFd>,
    /// Where its stdout and stderr go.
    pub log: PathBuf,
}

/// What the parts should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Run.
    Run,
    /// End on this signal.
    End(Signal),
}

/// Runs a part until it is wished to end. An error is what starting again cannot mend.
pub async fn keep(part: Part, mut wish: watch::Receiver<Wish>) -> Result<(), Failure> {
    let mut backoff = BACKOFF.0;
    loop {
        if *wish.borrow() != Wish::Run {
            return Ok(());
        }
        let began = Instant::now();
        let child = start(&part)?;
        let status = attend(child, &mut wish).await.map_err(|error| {
            Failure::world(format!("cannot wait for `toehold {}`", part.name)).because(&error)
        })?;
        if *wish.borrow() != Wish::Run {
            return Ok(());
        }
        if status.code() == Some(USERS_TURN) {
            return Err(Failure::user(format!("`toehold {}` cannot run here", part.name))
                .hint(last_words(&part.log)));
        }
        if began.elapsed() >= STEADY {
            backoff = BACKOFF.0;
        }
        tracing::warn!(part = part.name, %status, wait_ms = backoff.as_millis(), "a part ended and is started again");
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            _ = wish.changed() => {}
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// Waits until the process has ended, passing on the wish to end as its signal.
async fn attend(mut child: Child, wish: &mut watch::Receiver<Wish>) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            changed = wish.changed() => {
                // Nobody is left to wish for anything: then it ends, too.
                let now = if changed.is_ok() { *wish.borrow_and_update() } else { Wish::End(Signal::TERM) };
                if let Wish::End(signal) = now {
                    send(&child, signal);
                }
                if changed.is_err() {
                    return child.wait().await;
                }
            }
        }
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended in this very moment; then there is nobody to tell.
        let _ = kill_process(pid, signal);
    }
}

fn start(part: &Part) -> Result<Child, Failure> {
    let cannot = |error: &(dyn std::error::Error + 'static)| {
        Failure::world(format!("cannot start `toehold {}`", part.name)).because(error)
    };
    let program = std::env::current_exe().map_err(|error| cannot(&error))?;
    let log = open_log(&part.log).map_err(|error| cannot(&error))?;
    // `LISTEN_PID` must name the process that gets the sockets, which nobody knows before it is
    // there: a shell sets it and becomes that process. The script never changes.
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program)
        .args(&part.arguments)
        .env("LISTEN_FDS", part.sockets.len().to_string())
        .env_remove("LISTEN_FDNAMES")
        .env(MEMORY.0, std::env::var_os(MEMORY.0).unwrap_or_else(|| MEMORY.1.into()))
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone().map_err(|error| cannot(&error))?)
        .stderr(log);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut mappings = Vec::new();
    for (parent_fd, child_fd) in part.sockets.iter().zip(FIRST_FD..) {
        let parent_fd = parent_fd.as_fd().try_clone_to_owned().map_err(|error| cannot(&error))?;
        mappings.push(FdMapping { parent_fd, child_fd });
    }
    command.fd_mappings(mappings).map_err(|error| cannot(&error))?;
    Command::from(command).spawn().map_err(|error| cannot(&error))
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > LARGEST_LOG) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    // What an app says may stand in it.
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The last lines of a log, for a failure that is explained there.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    let words: Vec<&str> = lines.into_iter().rev().collect();
    format!("it said (in {}):\n  {}", log.display(), words.join("\n  "))
}

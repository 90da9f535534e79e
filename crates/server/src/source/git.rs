//! Running `git`: arguments only, an environment of its own, a limit on time and output, and
//! nothing left behind when it is stopped.

pub(super) mod environment;

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::source::SourceError;

/// The longest a command on this machine may take.
pub const LOCAL_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest a command that asks another machine may take.
pub const REMOTE_TIMEOUT: Duration = Duration::from_mins(5);

/// How much of what git says on stderr is kept, from its end.
const STDERR_KEPT_BYTES: usize = 2 * 1024;
/// How long its output is read after it has ended: somebody else may hold the pipe, as an ssh
/// master connection does.
const LINGER: Duration = Duration::from_millis(500);

/// One run of `git`.
#[derive(Debug)]
pub(crate) struct Git {
    what: String,
    command: Command,
    timeout: Duration,
    max_bytes: usize,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// 0 is success; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    exit: String,
    pub(crate) stderr: String,
    what: String,
}

impl Git {
    /// A command that trusts nothing: no configuration of the machine or of a user, no prompts.
    /// `what` ends the sentence "cannot …".
    pub(crate) fn sealed(what: impl Into<String>) -> Self {
        let mut git = Self::bare(what.into());
        environment::seal(git.command.as_std_mut());
        git
    }

    /// A command in a user's own folder, with the user's own configuration; only the variables by
    /// which a surrounding git would point it elsewhere are taken away.
    pub(crate) fn personal(what: impl Into<String>, folder: &Path) -> Self {
        let mut git = Self::bare(what.into());
        environment::unpoint(git.command.as_std_mut());
        git.arg("-C").arg(folder).args(["-c", "core.hooksPath=/dev/null"])
    }

    fn bare(what: String) -> Self {
        let mut command = Command::new("git");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        Self { what, command, timeout: LOCAL_TIMEOUT, max_bytes: 1024 * 1024 }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Works in this bare repository, wherever it was started.
    pub(crate) fn in_bare(self, path: &Path) -> Self {
        let mut arg = OsString::from("--git-dir=");
        arg.push(path);
        self.arg(arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Its output; an error where it did not end with 0.
    pub(crate) async fn run(self) -> Result<Vec<u8>, SourceError> {
        let outcome = self.outcome().await?;
        if outcome.code == Some(0) { Ok(outcome.stdout) } else { Err(outcome.into_error()) }
    }

    /// Its output as one trimmed line.
    pub(crate) async fn line(self) -> Result<String, SourceError> {
        let stdout = self.run().await?;
        Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
    }

    /// How it ended, whatever that is.
    pub(crate) async fn outcome(mut self) -> Result<Outcome, SourceError> {
        let mut child = self.command.spawn().map_err(SourceError::Start)?;
        let group = Group::of(&child);
        let finished = tokio::time::timeout(self.timeout, finish(&mut child, self.max_bytes)).await;
        let Ok(finished) = finished else {
            return Err(SourceError::TimedOut { what: self.what, after: self.timeout });
        };
        let (status, stdout, stderr) = finished.map_err(SourceError::Start)?;
        group.ended();
        if stdout.len() > self.max_bytes {
            return Err(SourceError::TooLong { what: self.what, max_bytes: self.max_bytes });
        }
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Ok(Outcome { code: status.code(), stdout, exit: exit(status), stderr, what: self.what })
    }
}

impl Outcome {
    pub(crate) fn into_error(self) -> SourceError {
        SourceError::Git { what: self.what, exit: self.exit, stderr: self.stderr }
    }
}

async fn finish(
    child: &mut Child,
    max_bytes: usize,
) -> std::io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = {
        let reading = async {
            tokio::join!(read_start(stdout, &mut out, max_bytes), read_end(stderr, &mut err));
        };
        tokio::pin!(reading);
        tokio::select! {
            () = &mut reading => child.wait().await?,
            status = child.wait() => {
                // Whatever it wrote is in the pipe by now, so running out of time loses nothing.
                let _ = tokio::time::timeout(LINGER, reading).await;
                status?
            }
        }
    };
    Ok((status, out, err))
}

/// Reads until the end or one byte more than `max_bytes`, then closes the pipe.
async fn read_start(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, max_bytes: usize) {
    if let Some(from) = from {
        let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
        // A pipe that cannot be read has ended.
        let _ = from.take(limit).read_to_end(into).await;
    }
}

/// Reads until the end and keeps the last of it.
async fn read_end(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        into.extend_from_slice(&piece[..count]);
        let surplus = into.len().saturating_sub(STDERR_KEPT_BYTES);
        into.drain(..surplus);
    }
}

fn exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

/// Everything the command started; killed unless it was seen to end.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Gone already is as good.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

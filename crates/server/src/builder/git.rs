//! Git, so that nothing in a repository is obeyed: no hooks, no configuration but ours, no way to
//! the outside.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

/// The longest a single command may take.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The longest answer, in bytes: the list of a million files.
const MAX_ANSWER: u64 = 256 << 20;

/// What git could not do.
#[derive(Debug, Error)]
pub enum GitError {
    /// It cannot be run.
    #[error("cannot run `git`: install it, version 2.30 or newer")]
    Start(#[source] io::Error),
    /// Its answer could not be read.
    #[error("cannot read what `git {verb}` answers")]
    Read {
        /// The verb.
        verb: String,
        /// Why.
        source: io::Error,
    },
    /// It said no.
    #[error("`git {verb}` ended with {status}: {says}")]
    Refused {
        /// The verb.
        verb: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        says: String,
    },
    /// It took too long and was killed.
    #[error("`git {verb}` took longer than {} s and was stopped", TIMEOUT.as_secs())]
    TimedOut {
        /// The verb.
        verb: String,
    },
}

/// The configuration in force, whatever the repository or the machine says.
const CONFIG: [&str; 11] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "protocol.allow=never",
    "submodule.recurse=false",
    "safe.bareRepository=explicit",
    "gc.auto=0",
];

/// A repository, an index and a folder of our own.
pub(super) struct Git<'a> {
    pub(super) repository: &'a Path,
    /// Objects beside the repository's own.
    pub(super) objects: Option<&'a Path>,
    pub(super) index: &'a Path,
    pub(super) worktree: &'a Path,
}

impl Git<'_> {
    /// Runs `git verb args…` with `input` and gives what it answers.
    pub(super) async fn run(
        &self,
        verb: &str,
        args: &[&OsStr],
        input: &[u8],
    ) -> Result<Vec<u8>, GitError> {
        let timed_out = |_| GitError::TimedOut { verb: verb.to_owned() };
        tokio::time::timeout(TIMEOUT, self.answer(verb, args, input)).await.map_err(timed_out)?
    }

    async fn answer(&self, verb: &str, args: &[&OsStr], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut child = self.command(verb, args).spawn().map_err(GitError::Start)?;
        let (mut stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin.take() {
                // Git may end before it has read all; its exit code tells.
                let _ = stdin.write_all(input).await;
            }
        };
        let (answer, says) = (read(stdout, MAX_ANSWER), read(stderr, 64 << 10));
        let ((), answer, says, status) = tokio::join!(feed, answer, says, child.wait());
        let failed = |source| GitError::Read { verb: verb.to_owned(), source };
        let (answer, says, status) =
            (answer.map_err(failed)?, says.map_err(failed)?, status.map_err(failed)?);
        if !status.success() {
            let says = String::from_utf8_lossy(&says);
            let says = says.trim().lines().last().unwrap_or_default().to_owned();
            return Err(GitError::Refused { verb: verb.to_owned(), status, says });
        }
        Ok(answer)
    }

    fn command(&self, verb: &str, args: &[&OsStr]) -> Command {
        let mut command = Command::new("git");
        for setting in CONFIG {
            command.arg("-c").arg(setting);
        }
        command
            .arg("--git-dir")
            .arg(self.repository)
            .arg("--work-tree")
            .arg(self.worktree)
            .arg(verb)
            .args(args)
            .current_dir(self.worktree)
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut environment: Vec<(&str, OsString)> = vec![
            ("PATH", path),
            ("LC_ALL", "C".into()),
            ("HOME", "/nonexistent".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_CONFIG_SYSTEM", "/dev/null".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_ATTR_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("GIT_OPTIONAL_LOCKS", "0".into()),
            ("GIT_NO_LAZY_FETCH", "1".into()),
            ("GIT_ALLOW_PROTOCOL", "".into()),
            ("GIT_INDEX_FILE", self.index.into()),
        ];
        if let Some(objects) = self.objects {
            environment.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects.into()));
        }
        environment
    }
}

async fn read(
    from: Option<impl tokio::io::AsyncRead + Unpin>,
    max_bytes: u64,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(max_bytes + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("it is longer than {max_bytes} bytes")));
    }
    Ok(bytes)
}

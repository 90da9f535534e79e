//! Commands on a machine over SSH: the system's own `ssh`, with arguments of ours alone, believing
//! one host key and no other.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use toehold_core::model::{Access, MachineName};

use super::host_key;

/// The longest a connection may take.
const CONNECT_SECONDS: u64 = 10;

/// How much of what is said is kept, in bytes.
const SAID_BYTES: u64 = 64 * 1024;

/// What `ssh` exits with when the trouble is its own.
const SSH_FAILED: i32 = 255;

/// Why a command did not run on a machine, or not to its end.
#[derive(Debug, Error)]
pub enum ShellError {
    /// It shows another host key.
    #[error(
        "{host} shows another host key than the one that was pinned: it shows {shown}, and {pinned} \
         was pinned. It is another machine, or somebody stands between. Nothing was sent. Where it \
         was set up anew, compare with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says \
         there, then say `toehold machines rm {machine}` and add it again"
    )]
    HostKey {
        /// Which machine.
        machine: MachineName,
        /// Where.
        host: String,
        /// The fingerprint of the key it shows, or a word where that could not be read.
        shown: String,
        /// The fingerprint of the one key that is believed.
        pinned: String,
    },
    /// It does not let us in.
    #[error(
        "{host} does not let {user} in: add Toehold's key to that user's authorized_keys \
         (`toehold machines key` shows it)"
    )]
    NoEntry {
        /// Who.
        user: String,
        /// Where.
        host: String,
    },
    /// It cannot be reached.
    #[error("{host} cannot be reached by SSH: {said}")]
    Unreachable {
        /// Where.
        host: String,
        /// What `ssh` said.
        said: String,
    },
    /// The command failed.
    #[error("{what} failed on {host} (exit code {code}): {said}")]
    Failed {
        /// What was to be done.
        what: &'static str,
        /// Where.
        host: String,
        /// How it ended.
        code: i32,
        /// The last of what it said.
        said: String,
    },
    /// It took too long.
    #[error("{what} was not done on {host} within {} s", .after.as_secs())]
    Late {
        /// What was to be done.
        what: &'static str,
        /// Where.
        host: String,
        /// After how long.
        after: Duration,
    },
    /// This machine has no `ssh`, or no space, or no right.
    #[error("cannot use ssh on this machine ({0}): install openssh-client")]
    Here(#[from] io::Error),
}

impl ShellError {
    /// Whether trying again may help without anybody doing something.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Failed { .. } | Self::Late { .. } | Self::Here(_) => {
                true
            }
            Self::HostKey { .. } | Self::NoEntry { .. } => false,
        }
    }
}

/// A command for a machine. Its text is fixed: what differs goes in on stdin.
pub struct Order<'a> {
    /// What it does, for errors.
    pub what: &'static str,
    /// A script for `sh` without a single quote in it.
    pub script: &'static str,
    /// What it reads.
    pub stdin: Input<'a>,
    /// The longest it may take.
    pub timeout: Duration,
}

/// What a command reads.
pub enum Input<'a> {
    /// A text.
    Text(&'a str),
    /// A file.
    File(&'a Path),
}

/// A way to a machine.
pub struct Shell<'a> {
    /// Which.
    pub machine: &'a MachineName,
    /// Where and how.
    pub access: &'a Access,
    /// Toehold's own private key.
    pub key: &'a Path,
    /// A folder for what `ssh` wants to read.
    pub run: &'a Path,
}

impl Shell<'_> {
    /// Runs a command and gives what it wrote to stdout, at most 64 KiB of it.
    pub async fn run(&self, order: Order<'_>) -> Result<String, ShellError> {
        let mut child = Command::new("ssh")
            .args(self.arguments()?)
            .arg(format!("exec sh -c '{}'", order.script))
            .env_clear()
            .envs(inherited())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let work = async {
            let (fed, out, err, status) =
                tokio::join!(feed(stdin, &order.stdin), all(stdout), all(stderr), child.wait());
            // A command that does not want to read says why by its exit code.
            drop(fed);
            Ok::<_, io::Error>((status?, out?, err?))
        };
        let host = || self.access.host.clone();
        let done = tokio::time::timeout(order.timeout, work).await;
        let Ok(done) = done else {
            return Err(ShellError::Late { what: order.what, host: host(), after: order.timeout });
        };
        let (status, out, err) = done?;
        if status.success() {
            return Ok(out);
        }
        Err(self.failure(order.what, status.code().unwrap_or(SSH_FAILED), &err).await)
    }

    async fn failure(&self, what: &'static str, code: i32, said: &str) -> ShellError {
        let host = self.access.host.clone();
        if code != SSH_FAILED {
            return ShellError::Failed { what, host, code, said: last_lines(said) };
        }
        if said.contains("Host key verification failed")
            || said.contains("IDENTIFICATION HAS CHANGED")
        {
            return self.another_key().await;
        }
        if said.contains("Permission denied") {
            return ShellError::NoEntry { user: self.access.user.clone(), host };
        }
        ShellError::Unreachable { host, said: last_lines(said) }
    }

    /// Which key is shown is asked for once more: `ssh` does not say it in a way to count on.
    async fn another_key(&self) -> ShellError {
        let Access { host, port, host_key, .. } = self.access;
        let kind = host_key.split(' ').next().unwrap_or_default();
        let shown = match host_key::shown_rather(kind, host, *port).await {
            Ok(key) => host_key::fingerprint(&key),
            Err(_) => "one that could not be read".to_owned(),
        };
        let (machine, host) = (self.machine.clone(), host.clone());
        ShellError::HostKey { machine, host, shown, pinned: host_key::fingerprint(host_key) }
    }

    /// The arguments that make `ssh` ask nobody, believe nothing else, and end when the other side
    /// is gone. The user's own configuration is not read.
    pub fn arguments(&self) -> io::Result<Vec<OsString>> {
        let known = known_hosts(self.run, self.machine, self.access)?;
        let options = [
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            format!("UserKnownHostsFile={}", known.display()),
            "GlobalKnownHostsFile=/dev/null".to_owned(),
            format!("HostKeyAlias={}", self.machine),
            "UpdateHostKeys=no".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "PreferredAuthentications=publickey".to_owned(),
            "ForwardAgent=no".to_owned(),
            "ControlMaster=no".to_owned(),
            "LogLevel=ERROR".to_owned(),
            format!("ConnectTimeout={CONNECT_SECONDS}"),
            "ServerAliveInterval=5".to_owned(),
            "ServerAliveCountMax=3".to_owned(),
        ];
        let mut all: Vec<OsString> = vec!["-F".into(), "none".into(), "-T".into()];
        for option in options {
            all.extend(["-o".into(), option.into()]);
        }
        all.extend(["-i".into(), self.key.as_os_str().to_owned()]);
        all.extend(["-p".into(), self.access.port.to_string().into()]);
        all.extend(["-l".into(), self.access.user.clone().into(), "--".into()]);
        all.push(self.access.host.clone().into());
        Ok(all)
    }
}

/// The file with the one key a machine may show, in the folder `run`.
pub fn known_hosts(run: &Path, machine: &MachineName, access: &Access) -> io::Result<PathBuf> {
    let folder = run.join("known-hosts");
    fs::create_dir_all(&folder)?;
    let path = folder.join(machine.as_str());
    let line = format!("{machine} {}\n", access.host_key);
    if fs::read_to_string(&path).is_ok_and(|text| text == line) {
        return Ok(path);
    }
    let fresh = path.with_added_extension("new");
    fs::write(&fresh, line)?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}

/// What of our environment `ssh` may see: where programs are, and whose home it is.
fn inherited() -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "HOME", "USER", "LANG"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

async fn feed(stdin: Option<tokio::process::ChildStdin>, input: &Input<'_>) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match input {
        Input::Text(text) => stdin.write_all(text.as_bytes()).await?,
        Input::File(path) => {
            let mut file = tokio::fs::File::open(path).await?;
            tokio::io::copy(&mut file, &mut stdin).await?;
        }
    }
    stdin.shutdown().await
}

/// What somebody says, the beginning of it; the rest is read and dropped.
async fn all(from: Option<impl AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut from) = from else { return Ok(String::new()) };
    let mut kept = Vec::new();
    (&mut from).take(SAID_BYTES).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// The last lines of what was said, in one.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(3);
    let text = lines[from..].join(" / ");
    if text.is_empty() { "it said nothing".to_owned() } else { text.chars().take(400).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_host_key_is_told_with_both_fingerprints_and_what_to_do() {
        let folder = tempfile::TempDir::new().expect("a folder can be made");
        let machine: MachineName = "web1".parse().expect("it is a name");
        let access = Access {
            user: "root".into(),
            host: "127.0.0.1".into(),
            // Nobody listens there: which key is shown cannot be read.
            port: 1,
            host_key:
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
                    .into(),
        };
        let key = folder.path().join("key");
        let shell = Shell { machine: &machine, access: &access, key: &key, run: folder.path() };
        let error = shell.failure("looking", 255, "Host key verification failed.").await;
        let said = error.to_string();
        for word in [
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU was pinned",
            "could not be read",
            "toehold machines rm web1",
        ] {
            assert!(said.contains(word), "{said}");
        }
        assert!(!error.is_transient());
    }
}

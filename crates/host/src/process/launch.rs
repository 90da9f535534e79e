//! Starting a process as the beginning of a tree.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use thiserror::Error;
use tokio::process::{Child, Command};

use crate::cgroup::Cgroup;
use crate::process::{Marker, Tree, stat};

/// Where the program lies that makes a session of its own and then becomes the one it is given:
/// `setsid(2)` has to be called in the child, and doing that between fork and exec is not safe
/// Rust.
const SETSID: [&str; 3] = ["/usr/bin/setsid", "/bin/setsid", "/usr/sbin/setsid"];

/// What to start, and with what around it.
#[derive(Debug)]
pub struct Launch {
    /// The program and its arguments; a program without `/` is looked up in this process's `PATH`.
    pub argv: Vec<OsString>,
    /// Its whole environment; nothing is inherited. The marker is added.
    pub env: Vec<(OsString, OsString)>,
    /// The folder it starts in.
    pub dir: PathBuf,
    /// Where its output goes. A file keeps it independent of this process; a pipe does not.
    pub stdout: Stdio,
    /// Where its errors go.
    pub stderr: Stdio,
    /// How it and its children are found again.
    pub marker: Marker,
    /// Added to its niceness, 0 to 19; 0 changes nothing.
    pub nice: i32,
    /// The cgroup it joins before it becomes the program, so that nothing it does is outside.
    /// Where it cannot join, it ends with exit code 126 and says so on its standard error.
    pub cgroup: Option<Cgroup>,
}

/// A process that could not be started.
#[derive(Debug, Error)]
pub enum LaunchError {
    /// There is nothing to start.
    #[error("there is no program to start")]
    Empty,
    /// The kernel refused, or there is no such program or folder.
    #[error("cannot start {program} in {dir}")]
    Spawn {
        /// The program.
        program: String,
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Launch {
    /// Starts it, in a session and process group of its own, with nothing on its standard input.
    /// The child is not killed when the handle is dropped.
    pub fn start(self) -> Result<(Tree, Child), LaunchError> {
        let program = self.argv.first().ok_or(LaunchError::Empty)?.clone();
        let failed = |source| LaunchError::Spawn {
            program: program.to_string_lossy().into_owned(),
            dir: self.dir.clone(),
            source,
        };
        let argv = match &self.cgroup {
            Some(cgroup) => joining(cgroup, self.argv),
            None => self.argv,
        };
        let mut command = command(&argv);
        command
            .env_clear()
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .envs([self.marker.pair()])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(self.stdout)
            .stderr(self.stderr);
        let child = command.spawn().map_err(failed)?;
        // It is there, if only as a zombie, until somebody waits for it.
        let leader = child.id().and_then(stat).map(|found| found.run);
        let leader = leader.ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound)))?;
        if self.nice != 0 {
            nice(leader.pid, self.nice);
        }
        Ok((Tree::new(leader, self.marker, self.cgroup), child))
    }
}

/// Joins the groups whose files are named first, then becomes the program that is named after
/// them, with the same process id.
const JOIN: &str = r#"n=$1; shift
while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 126; shift; n=$((n - 1)); done
exec "$@""#;

fn joining(cgroup: &Cgroup, argv: Vec<OsString>) -> Vec<OsString> {
    let doors = cgroup.doors();
    let mut joined: Vec<OsString> = ["/bin/sh", "-c", JOIN, "toehold"].map(Into::into).to_vec();
    joined.push(doors.len().to_string().into());
    joined.extend(doors.into_iter().map(Into::into));
    joined.extend(argv);
    joined
}

/// A child that does not lead a group may make a session without forking, so that the id we see is
/// the id of the program itself. Where there is no `setsid`, a process group has to do.
fn command(argv: &[OsString]) -> Command {
    let mut command;
    if let Some(setsid) = SETSID.into_iter().find(|path| Path::new(path).exists()) {
        command = Command::new(setsid);
        command.args(argv);
    } else {
        command = Command::new(&argv[0]);
        command.args(&argv[1..]).process_group(0);
    }
    command
}

/// A failure leaves it as urgent as we are, which harms nobody.
fn nice(pid: u32, by: i32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let _ = rustix::process::setpriority_process(pid, by.clamp(0, 19));
}

//! How a step begins: inside its limits, before it has done anything.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use toehold_core::model::RunId;
use toehold_host::cgroup::{self, Cgroup};
use toehold_host::process::{Launch, Tree};
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use super::limits::usual_memory;
use super::{Command, Running};
use crate::builder::{fence, threads};

/// How much gentler than Toehold itself a build is.
const NICE: i32 = 10;

/// A shell that stops itself before it becomes the command's: whatever the command begins is then
/// born within its limits.
const GATE: &str = "kill -STOP $$; exec /bin/sh -c \"$0\"";

/// The longest the gate is waited for.
const GATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads for each process a step may have: the kernel counts threads.
const THREADS: u64 = 8;

impl Running {
    pub(super) async fn start(command: &Command<'_>) -> io::Result<Self> {
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
        let output = Receiver::from_owned_fd(reader.into())?;
        let writable = command.limits.fenced.then(|| command.writable.clone());
        let (tree, child) = fence::start(launch, writable).await?;
        let memory_bytes = command.limits.memory_bytes.unwrap_or_else(usual_memory);
        // From here on, whatever happens to us, it is ended.
        let mut running = Self { tree, child, output, group: None, memory_bytes, ended: false };
        stopped(running.tree.leader()).await;
        running.confine(command);
        Ok(running)
    }

    /// Puts the stopped shell into its limits and lets it go on.
    fn confine(&mut self, command: &Command<'_>) {
        let leader = self.tree.leader();
        let threads = command.limits.processes as u64 * THREADS;
        let limits = cgroup::Limits {
            cpus: 1.0,
            memory_bytes: Some(self.memory_bytes),
            // A hard stop behind the one that says why.
            pids: Some(threads),
        };
        let group = Cgroup::create(command.group, &limits);
        self.group = group.filter(|group| group.add(leader.pid).is_ok());
        self.tree = Tree::new(leader, command.marker.clone(), self.group.clone());
        threads::limit(leader.pid, threads);
        if let Some(pid) = i32::try_from(leader.pid).ok().and_then(Pid::from_raw) {
            // A failure means that it has ended, which its exit code will tell.
            let _ = kill_process(pid, Signal::CONT);
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

//! The processes of a Toehold that runs here, as the system shows them.

use std::fmt;

use rustix::process::{Pid, Signal, kill_process};

use crate::report::{Failure, Outcome};

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The control plane.
    Serve,
    /// The proxy.
    Proxy,
    /// The agent.
    Agent,
}

impl Part {
    const ALL: [Self; 3] = [Self::Serve, Self::Proxy, Self::Agent];

    const fn verb(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Proxy => "proxy",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.verb())
    }
}

/// The process of a part, below `toehold up`.
pub fn find(up: u32, part: Part) -> Result<u32, Failure> {
    let children = read(&format!("/proc/{up}/task/{up}/children"))?;
    let is_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(part.verb().as_bytes())
    };
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .find(is_it)
        .ok_or_else(|| Failure::no(format!("`toehold {part}` does not run")))
}

/// Kills a part with SIGKILL; gives the process that died.
pub fn kill(up: u32, part: Part) -> Result<u32, Failure> {
    let pid = find(up, part)?;
    kill_pid(pid)?;
    Ok(pid)
}

/// Kills a process with SIGKILL.
pub fn kill_pid(pid: u32) -> Outcome {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let raw = raw.ok_or_else(|| Failure::no(format!("{pid} is no process")))?;
    kill_process(raw, Signal::KILL)
        .map_err(|error| Failure::world(format!("cannot kill {pid}")).because(&error))
}

/// What the three have used of the CPU so far, in ticks.
pub fn cpu_ticks(up: u32) -> Result<u64, Failure> {
    let mut sum = 0;
    for part in Part::ALL {
        let stat = read(&format!("/proc/{}/stat", find(up, part)?))?;
        // The name in brackets may hold anything; the fields come after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let field = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok());
        sum += field(11).unwrap_or(0) + field(12).unwrap_or(0);
    }
    Ok(sum)
}

/// The resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64, Failure> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .ok_or_else(|| Failure::world(format!("cannot tell the memory of {pid}")))
}

fn read(path: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::world(format!("cannot read {path}")).because(&error))
}

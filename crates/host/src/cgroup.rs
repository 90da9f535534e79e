//! Cgroups: a tree of processes that nothing leaves, counted and limited by the kernel.
//!
//! Version 2 is used where this process may make groups below its own (a delegated one, as with
//! systemd's `Delegate=yes`), version 1 where its hierarchies are writable, and both side by side
//! on a hybrid machine. Where neither can be had, [`Cgroup::create`] says `None` and the tree is
//! followed through `/proc` instead.

mod hierarchy;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use hierarchy::find;

/// The folder all groups of Toehold lie in, below the group this process is in.
const PARENT: &str = "toehold";

/// What a group may use. CPU is a weight, never a limit: what nobody else wants may be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Its share of CPU against other groups, in cores; in version 2 only.
    pub cpus: f64,
    /// The most memory it may use, in bytes; above it, the kernel ends one of its processes.
    pub memory_bytes: Option<u64>,
    /// The most processes and threads it may have.
    pub pids: Option<u64>,
}

/// A group of processes. It stays when this value is dropped, and when this process ends; keep the
/// value (it is serialisable) or call [`Cgroup::create`] again with the same name to come back to
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroup {
    /// Version 2; used where memory is not counted by version 1.
    unified: Option<PathBuf>,
    /// Version 1, by controller; two may share a folder. Only those that are needed: joining each
    /// takes the kernel several milliseconds.
    memory: Option<PathBuf>,
    cpuacct: Option<PathBuf>,
    pids: Option<PathBuf>,
}

impl Cgroup {
    /// The group called `name` (letters, digits, `.`, `-`, `_`), made where it is not there, with
    /// these limits. `None` where this machine lets us have none.
    #[must_use]
    pub fn create(name: &str, limits: &Limits) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
            return None;
        }
        let found = find();
        let group = match (found.legacy.contains_key("memory"), &found.unified) {
            (false, Some(base)) => Self::unified(base, name),
            (true, _) | (false, None) => Self::legacy(&found.legacy, name),
        }?;
        group.limit(limits);
        Some(group)
    }

    fn unified(base: &Path, name: &str) -> Option<Self> {
        hierarchy::delegate(base, PARENT);
        let unified = Some(make(base, name)?);
        Some(Self { unified, memory: None, cpuacct: None, pids: None })
    }

    fn legacy(found: &BTreeMap<String, PathBuf>, name: &str) -> Option<Self> {
        let of = |controller: &str| make(found.get(controller)?, name);
        let (memory, cpuacct, pids) = (of("memory"), of("cpuacct"), of("pids"));
        let group = Self { unified: None, memory, cpuacct, pids };
        group.dirs().next()?;
        Some(group)
    }

    /// The files that a process writes `0` to in order to join the group; its future children are
    /// born there.
    pub(crate) fn doors(&self) -> Vec<PathBuf> {
        self.dirs().map(|dir| dir.join("cgroup.procs")).collect()
    }

    /// Moves a process into the group; its future children are born there. For one that cannot
    /// join by itself before it becomes its program.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        self.dirs().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), pid.to_string()))
    }

    /// The processes in it.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        // Every hierarchy holds the same processes.
        let text =
            self.dirs().next().and_then(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok());
        text.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// CPU used since the group was made, in microseconds; `None` where it is not counted.
    #[must_use]
    pub fn cpu_us(&self) -> Option<u64> {
        if let Some(dir) = &self.cpuacct {
            return Some(number(&dir.join("cpuacct.usage"))? / 1000);
        }
        keyed(&self.unified.as_ref()?.join("cpu.stat"), "usage_usec")
    }

    /// Memory in use, in bytes, without file pages nobody has touched lately: those the kernel
    /// takes back before it would run out. `None` where it is not counted.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        let (used, idle) = match (&self.memory, &self.unified) {
            (Some(dir), _) => (
                number(&dir.join("memory.usage_in_bytes"))?,
                keyed(&dir.join("memory.stat"), "total_inactive_file"),
            ),
            (None, Some(dir)) => (
                number(&dir.join("memory.current"))?,
                keyed(&dir.join("memory.stat"), "inactive_file"),
            ),
            (None, None) => return None,
        };
        Some(used.saturating_sub(idle.unwrap_or(0)))
    }

    /// Whether the kernel holds it to its memory limit.
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        self.memory.is_some()
            || self.unified.as_ref().is_some_and(|dir| dir.join("memory.max").exists())
    }

    /// How many of its processes the kernel ended because the memory limit was reached; `None`
    /// where that is not counted.
    #[must_use]
    pub fn oom_kills(&self) -> Option<u64> {
        match (&self.memory, &self.unified) {
            (Some(dir), _) => keyed(&dir.join("memory.oom_control"), "oom_kill"),
            (None, Some(dir)) => keyed(&dir.join("memory.events"), "oom_kill"),
            (None, None) => None,
        }
    }

    /// Kills every process in it: at once in version 2, one after the other in version 1, where
    /// one that forks meanwhile escapes and is to be looked for again.
    pub fn kill(&self) {
        if let Some(dir) = &self.unified
            && fs::write(dir.join("cgroup.kill"), "1").is_ok()
        {
            return;
        }
        for pid in self.pids() {
            if pid != std::process::id()
                && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Takes the group away once nothing runs in it. A process that was just killed may hold it for
    /// a moment: it is tried for a second.
    pub async fn remove(&self) -> io::Result<()> {
        let mut last = Ok(());
        for _ in 0..50 {
            last = self.dirs().try_for_each(|dir| match fs::remove_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            });
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        last
    }

    /// Sets the limits, each where its file is there: a machine that has only some of the
    /// controllers enforces only some of the limits.
    fn limit(&self, limits: &Limits) {
        let set = |dir: &Option<PathBuf>, file: &str, value: String| {
            if let Some(dir) = dir {
                let _ = fs::write(dir.join(file), value);
            }
        };
        let weight = format!("{:.0}", (limits.cpus * 100.0).clamp(1.0, 10_000.0));
        set(&self.unified, "cpu.weight", weight);
        let memory = limits.memory_bytes.map(|bytes| bytes.to_string());
        set(&self.memory, "memory.limit_in_bytes", memory.clone().unwrap_or("-1".into()));
        set(&self.memory, "memory.memsw.limit_in_bytes", memory.clone().unwrap_or("-1".into()));
        set(&self.unified, "memory.max", memory.unwrap_or("max".into()));
        let pids = limits.pids.map_or("max".into(), |count| count.to_string());
        set(&self.pids, "pids.max", pids.clone());
        set(&self.unified, "pids.max", pids);
    }

    /// Its folders, each once.
    fn dirs(&self) -> impl Iterator<Item = &PathBuf> {
        let all = [&self.unified, &self.memory, &self.cpuacct, &self.pids];
        let mut dirs: Vec<&PathBuf> = all.into_iter().flatten().collect();
        dirs.dedup();
        dirs.into_iter()
    }
}

fn make(base: &Path, name: &str) -> Option<PathBuf> {
    let dir = base.join(PARENT).join(name);
    fs::create_dir_all(&dir).ok().map(|()| dir)
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind `key` in a file of `key number` lines.
fn keyed(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests;

//! What a step uses, held against what it may.

use std::fs;

use toehold_host::cgroup::Cgroup;
use toehold_host::disk::free_bytes;

use super::{Command, Running};
use crate::builder::space::size;

impl Running {
    /// The limit that is exceeded, in words. Where a cgroup counts, `/proc` need not be read.
    pub(super) fn over(&self, command: &Command<'_>) -> Option<String> {
        let processes = match &self.group {
            Some(group) => group.pids(),
            None => self.tree.stats().iter().map(|it| it.run.pid).collect(),
        };
        if processes.len() > command.limits.processes {
            return Some(format!("it had more than {} processes", command.limits.processes));
        }
        if !self.group.as_ref().is_some_and(Cgroup::limits_memory) {
            let page = rustix::param::page_size() as u64;
            let used: u64 = processes.into_iter().map(|pid| resident_pages(pid) * page).sum();
            if used > self.memory_bytes {
                return Some(self.memory());
            }
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

    /// Whether the kernel ended a process of it for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        self.group.as_ref().and_then(Cgroup::oom_kills).unwrap_or(0) > 0
    }

    pub(super) fn memory(&self) -> String {
        format!("it used more than {} of memory", size(self.memory_bytes))
    }
}

fn resident_pages(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

/// Three quarters of the machine's memory, in bytes.
pub(super) fn usual_memory() -> u64 {
    let info = rustix::system::sysinfo();
    u64::from(info.mem_unit).saturating_mul(info.totalram) / 4 * 3
}

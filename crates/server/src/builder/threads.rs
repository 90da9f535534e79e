//! The most threads an ordinary user's build may have, where no cgroup counts them.

use std::fs;

use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use toehold_host::process::table;

/// Lets the process `pid` and its children have at most `more` threads beside those its user has
/// now. The kernel counts by user and lets root have as many as there are, so this is a net below
/// the cgroup and not in its place. A failure leaves the limit as it was.
pub(super) fn limit(pid: u32, more: u64) {
    if geteuid().is_root() {
        return;
    }
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let before = getrlimit(Resource::Nproc);
    let mine = geteuid().as_raw().to_string();
    let now: u64 = table().iter().map(|found| threads(found.run.pid, &mine)).sum();
    let wanted = now.saturating_add(more);
    let current = before.current.map_or(wanted, |limit| limit.min(wanted));
    let limit = Rlimit { current: Some(current), maximum: before.maximum };
    let _ = prlimit(Some(pid), Resource::Nproc, limit);
}

/// The threads of a process, where it is this user's.
fn threads(pid: u32, user: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()
    };
    if field("Uid:") != Some(user) {
        return 0;
    }
    field("Threads:").and_then(|count| count.parse().ok()).unwrap_or(0)
}

//! A process and all that came of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use thiserror::Error;
use toehold_core::model::RunId;

use crate::cgroup::Cgroup;
use crate::process::stat::{Marked, carries};
use crate::process::{Marker, Stat, is_alive, stat, table};

/// The longest killing may take before we say that it does not work.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a storm of forks is stopped and looked at again before what is stopped is killed.
const STOP_ROUNDS: usize = 10;

/// How long a young process without an environment is taken for one that is about to get ours.
/// Between forking and running its program a process shows none, and a storm always has some there.
const DOUBT: Duration = Duration::from_millis(500);

/// How soon after SIGTERM is looked whether all have ended; each look waits twice as long as the
/// one before, up to [`MOST_PAUSE`].
const POLL: Duration = Duration::from_millis(10);

const MOST_PAUSE: Duration = Duration::from_millis(160);

/// Time between two looks while killing.
const KILL_PAUSE: Duration = Duration::from_millis(5);

/// A process and all that came of it, also what left its group, its session or its parent.
#[derive(Clone, Debug)]
pub struct Tree {
    leader: RunId,
    marker: Marker,
    cgroup: Option<Cgroup>,
    /// The leader has ended, and nobody is left in its group and session: from now on its id means
    /// nothing, the kernel may give it to anyone.
    disbanded: Arc<AtomicBool>,
}

/// The kernel thread that is the parent of all others.
const KERNEL: u32 = 2;

/// What a close look found.
struct Look {
    members: Vec<Stat>,
    /// Whether there was a young process that might yet turn out to be of the tree.
    doubtful: bool,
}

/// Processes that outlived SIGKILL: they hang in the kernel, or belong to someone else.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("processes {pids:?} did not end {} s after SIGKILL: see `ps -o pid,stat,wchan,cmd`", KILL_TIMEOUT.as_secs())]
pub struct NotEnded {
    /// Their ids.
    pub pids: Vec<u32>,
}

impl Tree {
    /// The tree that `leader` began, in this run of the agent or an earlier one.
    #[must_use]
    pub fn new(leader: RunId, marker: Marker, cgroup: Option<Cgroup>) -> Self {
        Self { leader, marker, cgroup, disbanded: Arc::default() }
    }

    /// The process it began with.
    #[must_use]
    pub const fn leader(&self) -> RunId {
        self.leader
    }

    /// Its cgroup, where there is one.
    #[must_use]
    pub const fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.as_ref()
    }

    /// Every live process of the tree, by every tie there is. Reads each process's environment:
    /// for ending a tree and for looking closely, not for each second.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        ids(&self.look().members)
    }

    /// Every live process of the tree that is tied to it by group, session, parent or cgroup:
    /// cheap enough for each second.
    #[must_use]
    pub fn stats(&self) -> Vec<Stat> {
        self.members(table(), BTreeSet::new())
    }

    /// The same from a [`table`] read before: one reading does for many trees.
    #[must_use]
    pub fn stats_in(&self, table: &[Stat]) -> Vec<Stat> {
        self.members(table.to_vec(), BTreeSet::new())
    }

    /// Sends `signal` to every process of the tree.
    pub fn signal(&self, signal: Signal) {
        for found in self.look().members {
            send(found.run, signal);
        }
    }

    /// Ends the tree: SIGTERM to all of it, `grace` to obey, then [`Tree::kill`].
    pub async fn end(&self, grace: Duration) -> Result<(), NotEnded> {
        self.signal(Signal::TERM);
        // One that was stopped could not obey.
        self.signal(Signal::CONT);
        let deadline = Instant::now() + grace;
        let mut pause = POLL;
        // The close look costs more, so it waits until the cheap one finds nothing.
        while Instant::now() < deadline && !(self.stats().is_empty() && self.pids().is_empty()) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(MOST_PAUSE);
        }
        self.kill().await
    }

    /// Kills the tree, also one that forks faster than it can be killed: all of it is stopped
    /// first, so that no new process comes while the old are killed. It is gone once two looks in
    /// a row find nothing.
    pub async fn kill(&self) -> Result<(), NotEnded> {
        let deadline = Instant::now() + KILL_TIMEOUT;
        let mut clean = 0;
        let mut empty_since = None;
        loop {
            self.stop();
            self.signal(Signal::KILL);
            if let Some(cgroup) = &self.cgroup {
                cgroup.kill();
            }
            let look = self.look();
            if look.members.is_empty() {
                let since = *empty_since.get_or_insert_with(Instant::now);
                clean += usize::from(!look.doubtful || since.elapsed() > DOUBT);
            } else {
                (clean, empty_since) = (0, None);
            }
            if clean == 2 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(NotEnded { pids: ids(&look.members) });
            }
            tokio::time::sleep(KILL_PAUSE).await;
        }
    }

    /// Stops every process until a look finds none that was not stopped before.
    fn stop(&self) {
        let mut stopped = BTreeSet::new();
        for _ in 0..STOP_ROUNDS {
            let mut fresh = self.look().members;
            fresh.retain(|found| stopped.insert(found.run.pid));
            if fresh.is_empty() {
                return;
            }
            for found in fresh {
                send(found.run, Signal::STOP);
            }
        }
    }

    /// A close look, environments included.
    fn look(&self) -> Look {
        let table = table();
        let mut doubtful = false;
        let (mut marked, mut foreign) = (BTreeSet::new(), BTreeSet::new());
        for it in &table {
            match carries(it.run.pid, &self.marker) {
                Marked::Yes => drop(marked.insert(it.run.pid)),
                Marked::Other => drop(foreign.insert(it.run.pid)),
                // The kernel's own threads never have one.
                Marked::Unknown => {
                    doubtful |= it.run.start_ticks >= self.leader.start_ticks
                        && it.run.pid != KERNEL
                        && it.parent != KERNEL;
                }
                Marked::No => {}
            }
        }
        let table = table.into_iter().filter(|it| !foreign.contains(&it.run.pid)).collect();
        Look { members: self.members(table, marked), doubtful }
    }

    /// Those of `table` that are tied to the tree; `found` are some that are known to be.
    fn members(&self, table: Vec<Stat>, mut found: BTreeSet<u32>) -> Vec<Stat> {
        found.extend(self.cgroup.iter().flat_map(Cgroup::pids));
        found.extend(self.led(&table));
        found.remove(&std::process::id());
        // Descendants, until a round finds no more: parents may stand after their children.
        loop {
            let fresh: Vec<u32> = table
                .iter()
                .filter(|it| found.contains(&it.parent) && !found.contains(&it.run.pid))
                .map(|it| it.run.pid)
                .collect();
            if fresh.is_empty() {
                break;
            }
            found.extend(fresh);
        }
        found.remove(&std::process::id());
        table.into_iter().filter(|it| found.contains(&it.run.pid)).collect()
    }

    /// The leader and who is in its group or session. The kernel gives an id to nobody while it
    /// names a group or a session: so where another process has the leader's id, or nobody was
    /// left once, they are gone for good.
    fn led(&self, table: &[Stat]) -> Vec<u32> {
        let leader = self.leader;
        let taken = stat(leader.pid).is_some_and(|found| found.run != leader);
        if taken || self.disbanded.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let tied = |it: &&Stat| {
            (it.group == leader.pid || it.session == leader.pid || it.run == leader)
                && it.run.start_ticks >= leader.start_ticks
        };
        let led: Vec<u32> = table.iter().filter(tied).map(|it| it.run.pid).collect();
        if led.is_empty() && stat(leader.pid).is_none() {
            self.disbanded.store(true, Ordering::Relaxed);
        }
        led
    }
}

fn ids(members: &[Stat]) -> Vec<u32> {
    members.iter().map(|it| it.run.pid).collect()
}

/// Signals this very process, through a descriptor of it, so that another one that got its id in
/// the meantime is left alone.
fn send(run: RunId, signal: Signal) {
    let Some(pid) = i32::try_from(run.pid).ok().and_then(Pid::from_raw) else { return };
    // In each case a failure means that it has ended, which is what was wanted.
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) if is_alive(run) => drop(pidfd_send_signal(fd, signal)),
        Err(Errno::NOSYS) if is_alive(run) => drop(kill_process(pid, signal)),
        Ok(_) | Err(_) => {}
    }
}

//! What instances and the machine use, each second.

mod machine;

use std::collections::BTreeMap;

use toehold_core::model::{InstanceId, Reading, RunId};
use toehold_host::process::{Stat, Tree, memory_bytes, table, ticks_to_us};
use tokio::time::Instant;

use crate::time::now;

pub(crate) use machine::Machine;

/// An instance that runs: what is measured, and against what.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) tree: Tree,
    pub(crate) cpus: f64,
    pub(crate) memory_bytes: u64,
}

/// Remembers the counters, because CPU is only known between two looks at them.
#[derive(Debug, Default)]
pub(crate) struct Sampler {
    last: BTreeMap<InstanceId, Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    run: RunId,
    cpu_us: u64,
}

impl Sampler {
    /// A reading of each; none for one that is seen for the first time in this run.
    pub(crate) fn read(
        &mut self,
        running: &BTreeMap<InstanceId, Measured>,
    ) -> Vec<(InstanceId, Reading)> {
        self.last.retain(|id, _| running.contains_key(id));
        // Read once for all of them, and not at all where the kernel counts for us.
        let mut all = None;
        let mut readings = Vec::new();
        for (id, it) in running {
            let grouped = it.tree.cgroup().and_then(|it| Some((it.cpu_us()?, it.memory_bytes())));
            let mut stats = || it.tree.stats_in(all.get_or_insert_with(table));
            let (cpu_us, memory) = match grouped {
                Some((cpu_us, Some(memory))) => (cpu_us, memory),
                Some((cpu_us, None)) => (cpu_us, memory_of(&stats())),
                None => {
                    let stats = stats();
                    (cpu_of(&stats), memory_of(&stats))
                }
            };
            let mark = Mark { at: Instant::now(), run: it.tree.leader(), cpu_us };
            let before = self.last.insert(id.clone(), mark);
            if let Some(before) = before.filter(|before| before.run == mark.run) {
                readings.push((id.clone(), reading(it, before, mark, memory)));
            }
        }
        readings
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "percentages of bytes and microseconds need no more"
)]
fn reading(it: &Measured, before: Mark, mark: Mark, memory: u64) -> Reading {
    let elapsed_us = (mark.at - before.at).as_micros().max(1) as f64;
    let used_us = mark.cpu_us.saturating_sub(before.cpu_us) as f64;
    Reading {
        at: now(),
        cpu_percent: share(used_us / elapsed_us, it.cpus),
        memory_percent: share(memory as f64, it.memory_bytes as f64),
        memory_bytes: memory,
    }
}

/// In percent; of nothing, nothing is used.
fn share(used: f64, of: f64) -> f64 {
    if of > 0.0 { used / of * 100.0 } else { 0.0 }
}

/// CPU of a tree since it began. What its processes used themselves and what their ended children
/// used adds up to all of it, each microsecond once.
fn cpu_of(stats: &[Stat]) -> u64 {
    ticks_to_us(stats.iter().map(|it| it.own_ticks.saturating_add(it.reaped_ticks)).sum())
}

fn memory_of(stats: &[Stat]) -> u64 {
    stats.iter().filter_map(|it| memory_bytes(it.run.pid)).sum()
}

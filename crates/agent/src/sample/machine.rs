//! What the machine has and uses.

use std::fs;
use std::path::Path;

use toehold_core::wire::agent::MachineReading;
use toehold_host::disk::free_bytes;

/// Remembers the counters of `/proc/stat`.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    last: Option<Ticks>,
}

/// Ticks of all cores together since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Machine {
    /// The machine now; `dir` is where instances are unpacked.
    #[expect(clippy::cast_precision_loss, reason = "percentages need no more")]
    pub(crate) fn read(&mut self, dir: &Path) -> MachineReading {
        let ticks = fs::read_to_string("/proc/stat").ok().and_then(|text| parse_cpu(&text));
        let cpu_percent = match (self.last, ticks) {
            (Some(before), Some(after)) => {
                let all = after.all.saturating_sub(before.all).max(1) as f64;
                after.busy.saturating_sub(before.busy) as f64 / all * 100.0
            }
            _ => 0.0,
        };
        self.last = ticks;
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let (total, available) = parse_memory(&meminfo).unwrap_or((0, 0));
        let used = total.saturating_sub(available) as f64;
        MachineReading {
            cpus: std::thread::available_parallelism().map_or(1, usize::from) as f64,
            cpu_percent,
            memory_bytes: total,
            memory_percent: if total == 0 { 0.0 } else { used / total as f64 * 100.0 },
            disk_free_bytes: free_bytes(dir).unwrap_or(0),
        }
    }
}

/// The first line: `cpu user nice system idle iowait irq softirq steal …`. Guests are counted in
/// user already.
fn parse_cpu(text: &str) -> Option<Ticks> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> =
        line.split_ascii_whitespace().take(8).map_while(|it| it.parse().ok()).collect();
    let all = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4).unwrap_or(&0);
    Some(Ticks { busy: u64::saturating_sub(all, idle), all })
}

/// Total and available memory, in bytes.
fn parse_memory(text: &str) -> Option<(u64, u64)> {
    let bytes = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: u64 = line.trim_end_matches("kB").trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some((bytes("MemTotal:")?, bytes("MemAvailable:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_as_they_are_written() {
        let stat = "cpu  10 1 5 80 4 0 0 0 3 0\ncpu0 1 2 3 4\n";
        assert_eq!(parse_cpu(stat), Some(Ticks { busy: 16, all: 100 }));
        let meminfo = "MemTotal:       2048 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n";
        assert_eq!(parse_memory(meminfo), Some((2048 * 1024, 512 * 1024)));
        assert_eq!(parse_memory("nothing"), None);
    }

    #[test]
    fn this_machine_has_something() {
        let mut machine = Machine::default();
        machine.read(Path::new("/"));
        let seen = machine.read(Path::new("/"));
        assert!(seen.cpus >= 1.0 && seen.memory_bytes > 0 && seen.disk_free_bytes > 0, "{seen:?}");
        assert!((0.0..=100.0).contains(&seen.cpu_percent), "{seen:?}");
    }
}

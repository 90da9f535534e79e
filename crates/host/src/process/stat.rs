//! What `/proc` says of single processes.

use std::fs;
use std::path::PathBuf;

use toehold_core::model::RunId;

use crate::process::Marker;

/// One process, as `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Which process.
    pub run: RunId,
    /// Its parent's id; 0 for the first.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// CPU it used itself, user and system, in clock ticks.
    pub own_ticks: u64,
    /// CPU used by those of its children that ended and were waited for, in clock ticks.
    pub reaped_ticks: u64,
    /// It has ended and waits for its parent to ask how: dead for everyone else.
    pub zombie: bool,
}

/// What `/proc` says of `pid`; `None` where there is no such process.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    parse(pid, &fs::read_to_string(proc(pid, "stat")).ok()?)
}

/// The memory that is `pid`'s own, in bytes: what is resident without what it shares with files
/// and other processes, so that it can be added up over a tree. `None` where it has ended.
#[must_use]
pub fn memory_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(proc(pid, "statm")).ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map_while(|it| it.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// A number of clock ticks, as in [`Stat`], in microseconds.
#[must_use]
pub fn ticks_to_us(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000) / rustix::param::clock_ticks_per_second().max(1)
}

/// Names this boot of the machine: process ids and start ticks of another one mean nothing.
#[must_use]
pub fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Every process there is that has not ended.
#[must_use]
pub fn table() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .filter(|found| !found.zombie)
        .collect()
}

/// The identity of a live process; `None` where it has ended, zombies included.
#[must_use]
pub fn run_id(pid: u32) -> Option<RunId> {
    stat(pid).filter(|found| !found.zombie).map(|found| found.run)
}

/// Whether this very process still runs: another one with the same id does not count, and neither
/// does a zombie.
#[must_use]
pub fn is_alive(run: RunId) -> bool {
    run_id(run.pid) == Some(run)
}

/// The live processes that were started with `name` in their environment, each with its value. Of
/// other users' processes only root sees it. A process may overwrite it later: this is one tie of
/// several.
#[must_use]
pub fn marked(name: &str) -> Vec<(RunId, String)> {
    let prefix = format!("{name}=").into_bytes();
    let value = |pid| {
        let environ = fs::read(proc(pid, "environ")).ok()?;
        let entry = environ.split(|&b| b == 0).find_map(|entry| entry.strip_prefix(&*prefix))?;
        Some(String::from_utf8_lossy(entry).into_owned())
    };
    table().iter().filter_map(|found| Some((found.run, value(found.run.pid)?))).collect()
}

/// What a process's environment says of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    /// With this very value.
    Yes,
    /// With another value: it is of another tree, whatever else ties it to ours.
    Other,
    /// Not at all, or we may not look.
    No,
    /// It has no environment: it has none at all, or is in the middle of becoming another program.
    Unknown,
}

/// Whether `pid` was started with `marker` in its environment.
pub(super) fn carries(pid: u32, marker: &Marker) -> Marked {
    let Ok(environ) = fs::read(proc(pid, "environ")) else { return Marked::No };
    if environ.is_empty() {
        return Marked::Unknown;
    }
    let value = |entry: &[u8]| {
        let rest = entry.strip_prefix(marker.name.as_bytes())?.strip_prefix(b"=")?;
        Some(rest == marker.value.as_bytes())
    };
    match environ.split(|&b| b == 0).find_map(value) {
        Some(true) => Marked::Yes,
        Some(false) => Marked::Other,
        None => Marked::No,
    }
}

fn proc(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// The name in parentheses may hold anything, also `) R 1`: what follows the last one counts.
fn parse(pid: u32, text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 of proc(5), the state, is the first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let id = |field: usize| Some(u32::try_from(number(field)?).unwrap_or(0));
    let signed = |field: usize| fields.get(field - 3)?.parse::<i64>().ok();
    let reaped = signed(16)?.saturating_add(signed(17)?);
    Some(Stat {
        run: RunId { pid, start_ticks: number(22)? },
        parent: id(4)?,
        group: id(5)?,
        session: id(6)?,
        own_ticks: number(14)?.saturating_add(number(15)?),
        reaped_ticks: u64::try_from(reaped).unwrap_or(0),
        zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_made_to_mislead_does_not() {
        let line = "42 (a) R 1 (b) S 7 8 9 0 -1 4194304 1 0 0 0 11 12 3 4 20 0 1 0 5555 0 0";
        let found = parse(42, line).expect("read");
        assert_eq!((found.parent, found.group, found.session), (7, 8, 9));
        assert_eq!((found.own_ticks, found.reaped_ticks), (23, 7));
        assert_eq!(found.run, RunId { pid: 42, start_ticks: 5555 });
        assert!(!found.zombie);
    }

    #[test]
    fn this_process_lives_and_its_id_alone_does_not_make_it() {
        let us = run_id(std::process::id()).expect("we live");
        assert!(is_alive(us));
        assert!(!is_alive(RunId { start_ticks: us.start_ticks + 1, ..us }));
        assert!(table().iter().any(|found| found.run == us));
    }
}

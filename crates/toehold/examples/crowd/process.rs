//! What a process used so far.

use std::time::Duration;

use crate::Outcome;

/// Memory and CPU of a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Resident memory, in MB (10⁶ bytes).
    pub resident: f64,
    /// The part of it that is no file's, in MB.
    pub anonymous: f64,
    /// CPU time since it began.
    pub cpu: Duration,
}

impl Usage {
    /// Of this process.
    pub fn of(pid: u32) -> Outcome<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes =
                line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
            kilobytes.map(|it| f64::from(it) * 1.024 / 1000.0).ok_or("it has ended")
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks: Vec<u64> =
            fields.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        let hertz = rustix::param::clock_ticks_per_second();
        let cpu = Duration::from_millis(ticks.iter().sum::<u64>() * 1000 / hertz);
        Ok(Self { resident: of("VmRSS:")?, anonymous: of("RssAnon:")?, cpu })
    }
}

/// The process that `parent` started with this verb.
pub fn child(parent: u32, verb: &str) -> Outcome<u32> {
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok()) else {
            continue;
        };
        // One that has just ended is none.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = stat.rsplit_once(')').and_then(|(_, it)| it.split_whitespace().nth(1));
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let said = line.split(|it| *it == 0).nth(1);
        if of == Some(parent.to_string().as_str()) && said == Some(verb.as_bytes()) {
            return Ok(pid);
        }
    }
    Err(format!("no process `toehold {verb}` runs").into())
}

//! Durations, sizes, shares, steps and conditions, as people write them, and back.

use std::time::Duration;

use crate::model::{Metric, Split};
use crate::spec::Step;

/// A year: longer is a slip.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// `500ms`, `30s`, `10m`, `1h`, `1h30m`. An error says in words what is wrong.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "{text:?} is not a duration: write a number and ms, s, m or h, such as \"30s\", \
             \"10m\" or \"1h\""
        )
    };
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    let mut smallest = u64::MAX;
    while !rest.is_empty() || smallest == u64::MAX {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_ms = match &rest[digits..digits + letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        if unit_ms >= smallest {
            return Err(wrong());
        }
        smallest = unit_ms;
        total += Duration::from_millis(count.checked_mul(unit_ms).ok_or_else(wrong)?);
        if total > LONGEST {
            return Err(format!("{text:?} is longer than a year"));
        }
        rest = &rest[digits + letters..];
    }
    Ok(total)
}

/// The shortest form that reads back as the same.
pub(crate) fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit_ms, unit) in [(3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms > 0 && ms.is_multiple_of(unit_ms) {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
}

/// Units of size, larger ones first where both divide.
const SIZES: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// `256MiB`, `1GiB`, `500kB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "{text:?} is not a size: write a whole number and B, kB, MB, GB, KiB, MiB or GiB, such \
             as \"256MiB\""
        )
    };
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = (&text[..digits], text[digits..].trim_start());
    let unit_bytes = SIZES.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let count: u64 = count.parse().map_err(|_| wrong())?;
    count.checked_mul(unit_bytes).filter(|bytes| *bytes <= 1 << 60).ok_or_else(wrong)
}

/// The shortest form that reads back as the same.
pub(super) fn show_size(bytes: u64) -> String {
    let fits = |(_, unit_bytes): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(*unit_bytes);
    let (unit, unit_bytes) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / unit_bytes)
}

/// `45%`: above 0 and at most 1000, since an app may use more than its allotment.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let wrong =
        || format!("{text:?} is not a percentage above 0% and up to 1000%: write it as \"45%\"");
    let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    if !number.starts_with(|c: char| c.is_ascii_digit()) || !number.chars().all(plain) {
        return Err(wrong());
    }
    let value: f64 = number.parse().map_err(|_| wrong())?;
    if value > 0.0 && value <= 1_000.0 { Ok(value) } else { Err(wrong()) }
}

/// `5% for 2m`, `2:1 for 10m`, `approve`.
pub(super) fn step(text: &str) -> Result<Step, String> {
    if text.trim() == "approve" {
        return Ok(Step::Approve);
    }
    let Some((share, hold)) = text.split_once(" for ") else {
        return Err(format!(
            "{text:?} is not a step: write \"5% for 2m\", or \"approve\" to wait for a person"
        ));
    };
    let split: Split = share.trim().parse().map_err(|error| format!("{error}"))?;
    Ok(Step::Share { split, hold: duration(hold)? })
}

/// As [`step`] reads it.
pub(super) fn show_step(step: &Step) -> String {
    match step {
        Step::Share { split, hold } => format!("{split} for {}", show_duration(*hold)),
        Step::Approve => "approve".to_owned(),
    }
}

/// `cpu > 45% for 1m`: what is measured, the threshold, and the window where one is named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct When {
    /// What is measured.
    pub(super) metric: Metric,
    /// In percent.
    pub(super) above: f64,
    /// The window the mean is taken over.
    pub(super) window: Option<Duration>,
}

/// `cpu < 40%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clear {
    /// What is measured.
    pub(super) metric: Metric,
    /// In percent.
    pub(super) below: f64,
}

/// Reads a condition on which an alert is raised.
pub(super) fn when(text: &str) -> Result<When, String> {
    let shape =
        || format!("{text:?} is not a condition to raise an alert: write \"cpu > 45% for 1m\"");
    let (metric, rest) = text.split_once('>').ok_or_else(shape)?;
    let (threshold, window) = match rest.split_once(" for ") {
        Some((threshold, window)) => (threshold, Some(duration(window)?)),
        None => (rest, None),
    };
    Ok(When { metric: self::metric(metric, &shape)?, above: percent(threshold)?, window })
}

/// Reads a condition on which an alert is cleared.
pub(super) fn clear(text: &str) -> Result<Clear, String> {
    let shape = || format!("{text:?} is not a condition to clear an alert: write \"cpu < 40%\"");
    let (metric, threshold) = text.split_once('<').ok_or_else(shape)?;
    Ok(Clear { metric: self::metric(metric, &shape)?, below: percent(threshold)? })
}

fn metric(text: &str, shape: &dyn Fn() -> String) -> Result<Metric, String> {
    match text.trim() {
        "cpu" => Ok(Metric::Cpu),
        "memory" => Ok(Metric::Memory),
        "" => Err(shape()),
        other => Err(format!("{other:?} is not measured: write `cpu` or `memory`")),
    }
}

//! When a log grew, so that it can be read from a time on.
//!
//! A file beside the log: 16 bytes of header (the first byte that is kept, and how many bytes were
//! there before the file was last emptied), then records of 16 bytes, each "all before this offset
//! was written at this time or earlier", in order. All numbers are little-endian u64. Nothing of
//! it is held in memory: it is read where somebody asks. Offsets in here count the file; those
//! that others see count from the first byte ever written.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use toehold_core::time::Timestamp;

const RECORD_BYTES: u64 = 16;

/// The most records that are kept: a day of a log that grows each second, in a megabyte. Beyond
/// that every second one of the older half goes, which only makes the past coarser.
const MOST_RECORDS: u64 = 64 * 1024;

/// The index of a log; without its file, that of a log of which nothing was noted.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    file: Option<File>,
    head: u64,
    before: u64,
}

/// The index's place beside `log`.
pub(super) fn beside(log: &Path) -> PathBuf {
    log.with_extension("index")
}

impl Index {
    pub(super) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).ok();
        let (head, before) = file.as_ref().and_then(|file| record(file, 0)).unwrap_or_default();
        Self { path: path.to_owned(), file, head, before }
    }

    /// Removes the index of `log`.
    pub(super) fn remove(log: &Path) -> io::Result<()> {
        match fs::remove_file(beside(log)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The first byte of the file that is kept.
    pub(super) const fn head(&self) -> u64 {
        self.head
    }

    /// How many bytes were written before the file's first one.
    pub(super) const fn before(&self) -> u64 {
        self.before
    }

    /// Up to where the file was written before `at`; the head where nothing tells.
    pub(super) fn written_before(&self, at: Timestamp) -> u64 {
        let Some(file) = &self.file else { return self.head };
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = u64::midpoint(low, high);
            match record(file, middle + 1) {
                Some((_, time)) if time < at.as_ms() => low = middle + 1,
                Some(_) | None => high = middle,
            }
        }
        let found = if low == 0 { None } else { record(file, low) };
        found.map_or(self.head, |(offset, _)| offset.max(self.head))
    }

    /// Notes that the file has `size` bytes now, where that is more than was noted last.
    pub(super) fn note(&mut self, now: Timestamp, size: u64) -> io::Result<()> {
        let count = self.count();
        let last = self.file.as_ref().filter(|_| count > 0).and_then(|file| record(file, count));
        if size <= last.map_or(self.head, |(offset, _)| offset) {
            return Ok(());
        }
        // A clock that was set back must not break the order.
        let time = now.as_ms().max(last.map_or(0, |(_, time)| time));
        let file = self.made()?;
        file.write_all_at(&bytes(size, time), (count + 1) * RECORD_BYTES)?;
        if count + 1 > MOST_RECORDS { self.thin() } else { Ok(()) }
    }

    /// The file's bytes before `head` are gone.
    pub(super) fn cut(&mut self, head: u64) -> io::Result<()> {
        self.head = head;
        let kept = self.records().into_iter().filter(|(offset, _)| *offset > head).collect();
        self.replace(kept)
    }

    /// The file was emptied when it had `size` bytes.
    pub(super) fn emptied(&mut self, size: u64) -> io::Result<()> {
        self.before += size;
        self.head = 0;
        self.replace(Vec::new())
    }

    fn thin(&mut self) -> io::Result<()> {
        let records = self.records();
        let half = records.len() / 2;
        let kept = records
            .into_iter()
            .enumerate()
            .filter(|(at, _)| *at >= half || at % 2 == 0)
            .map(|(_, record)| record)
            .collect();
        self.replace(kept)
    }

    fn records(&self) -> Vec<(u64, u64)> {
        let Some(file) = &self.file else { return Vec::new() };
        (1..=self.count()).filter_map(|at| record(file, at)).collect()
    }

    fn count(&self) -> u64 {
        let size =
            self.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
        (size / RECORD_BYTES).saturating_sub(1)
    }

    fn replace(&mut self, records: Vec<(u64, u64)>) -> io::Result<()> {
        let mut whole = bytes(self.head, self.before).to_vec();
        whole.extend(records.into_iter().flat_map(|(offset, time)| bytes(offset, time)));
        let fresh = self.path.with_extension("index-new");
        fs::write(&fresh, whole)?;
        fs::rename(&fresh, &self.path)?;
        self.file = Some(OpenOptions::new().read(true).write(true).open(&self.path)?);
        Ok(())
    }

    fn made(&mut self) -> io::Result<&File> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&self.path)?;
            file.write_all_at(&bytes(self.head, self.before), 0)?;
            file
        };
        Ok(self.file.insert(file))
    }
}

fn bytes(first: u64, second: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&first.to_le_bytes());
    out[8..].copy_from_slice(&second.to_le_bytes());
    out
}

fn record(file: &File, at: u64) -> Option<(u64, u64)> {
    let mut found = [0; 16];
    file.read_exact_at(&mut found, at * RECORD_BYTES).ok()?;
    let (first, second) = found.split_at(8);
    Some((u64::from_le_bytes(first.try_into().ok()?), u64::from_le_bytes(second.try_into().ok()?)))
}

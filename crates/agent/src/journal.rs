//! The logs of instances: one file each, across restarts of the app, the agent and the machine.
//!
//! The app writes to the file itself, so that nothing stands between it and its log that could
//! die. The agent only bounds the file: it gives the space at its head back to the file system
//! while every byte keeps its offset, so that whoever follows a log never loses his place. Where
//! the file system cannot do that, the file is emptied when it is full, and offsets go on counting
//! from what was there.

mod index;
mod piece;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate};
use toehold_core::model::InstanceId;
use toehold_core::time::Timestamp;
use toehold_core::wire::agent::{LogFrom, LogPiece};

use index::Index;

/// How much of a log is kept, in bytes.
const KEEP_BYTES: u64 = 32 << 20;

/// How much more it may grow before its head is cut: cutting each second would be work for
/// nothing.
const SLACK_BYTES: u64 = 4 << 20;

/// File systems give space back in blocks.
const BLOCK_BYTES: u64 = 4096;

/// How long the log of an instance that is gone is kept.
const KEEP_GONE: Duration = Duration::from_hours(7 * 24);

/// How much all logs of instances that are gone may take together, in bytes.
const KEEP_GONE_BYTES: u64 = 512 << 20;

/// The most that is read at once, in bytes; written as JSON it must fit a message of the wire.
const PIECE_BYTES: u64 = 1 << 20;

/// The folder of all logs.
#[derive(Clone, Debug)]
pub(crate) struct Journals {
    dir: PathBuf,
    keep_bytes: u64,
}

impl Journals {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, keep_bytes: KEEP_BYTES }
    }

    /// The file an instance writes to: every write goes to its end, whoever else writes.
    pub(crate) fn open(&self, id: &InstanceId) -> io::Result<File> {
        fs::create_dir_all(&self.dir)?;
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.path(id))
    }

    /// Writes a line of our own to the log of an instance. A log that cannot be written does not
    /// keep an instance from running.
    pub(crate) fn say(&self, id: &InstanceId, text: &str) {
        let line = format!("toehold: {text}\n");
        if let Err(error) = self.open(id).and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(instance.id = %id, %error, "A line could not be written to an instance's log.");
        }
    }

    /// A piece of the log of an instance, also of one that is gone; the error is in words.
    pub(crate) fn read(
        &self,
        id: &InstanceId,
        from: LogFrom,
        max_bytes: u64,
    ) -> Result<LogPiece, String> {
        let wrong = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => format!("{id} has no log on this machine"),
            _ => format!("the log of {id} cannot be read: {error}"),
        };
        let file = File::open(self.path(id)).map_err(wrong)?;
        let index = Index::open(&self.index_path(id));
        piece::read(&file, &index, from, max_bytes.min(PIECE_BYTES)).map_err(wrong)
    }

    /// The last few lines, for an error that has to be understood without looking further.
    pub(crate) fn tail(&self, id: &InstanceId, bytes: u64) -> String {
        let text = self.read(id, LogFrom::Tail(bytes), bytes).map(|piece| piece.text);
        text.unwrap_or_default().trim_end().to_owned()
    }

    /// Notes how far a log has grown, and cuts its head where it grew too long. Once a second.
    pub(crate) fn tend(&self, id: &InstanceId, now: Timestamp) {
        if let Err(error) = self.try_tend(id, now) {
            tracing::warn!(instance.id = %id, %error, "A log could not be bounded: it may grow too large.");
        }
    }

    fn try_tend(&self, id: &InstanceId, now: Timestamp) -> io::Result<()> {
        let path = self.path(id);
        let Ok(found) = fs::metadata(&path) else { return Ok(()) };
        let mut index = Index::open(&self.index_path(id));
        let size = found.len();
        if size > index.head() + self.keep_bytes + SLACK_BYTES {
            let file = OpenOptions::new().write(true).open(&path)?;
            self.cut(&file, size, &mut index)?;
        }
        index.note(now, file_size(&path)?)
    }

    /// Frees all but the last [`KEEP_BYTES`].
    fn cut(&self, file: &File, size: u64, index: &mut Index) -> io::Result<()> {
        let head = (size - self.keep_bytes) / BLOCK_BYTES * BLOCK_BYTES;
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(file, hole, 0, head) {
            Ok(()) => index.cut(head),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                file.set_len(0)?;
                index.emptied(size)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the logs of instances that have been gone for long, oldest first, and more of them
    /// where they take too much space.
    pub(crate) fn sweep(&self, known: &[InstanceId], now: Timestamp) {
        let kept: Vec<PathBuf> = known.iter().map(|id| self.path(id)).collect();
        let mut gone: Vec<(Timestamp, u64, PathBuf)> = fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|it| it == "log") && !kept.contains(path))
            .filter_map(|path| {
                let found = fs::metadata(&path).ok()?;
                let at = u64::try_from(found.mtime()).ok()?.saturating_mul(1000);
                Some((Timestamp::from_ms(at), found.blocks() * 512, path))
            })
            .collect();
        gone.sort();
        let mut total: u64 = gone.iter().map(|(_, bytes, _)| bytes).sum();
        for (at, bytes, path) in gone {
            if now.since(at) < KEEP_GONE && total <= KEEP_GONE_BYTES {
                break;
            }
            total -= bytes;
            let removed = fs::remove_file(&path).and_then(|()| Index::remove(&path));
            if let Err(error) = removed {
                tracing::warn!(path = %path.display(), %error, "An old log could not be removed.");
            }
        }
    }

    fn path(&self, id: &InstanceId) -> PathBuf {
        self.dir.join(format!("{}.log", id.file_name()))
    }

    fn index_path(&self, id: &InstanceId) -> PathBuf {
        index::beside(&self.path(id))
    }
}

fn file_size(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

#[cfg(test)]
mod tests;

//! The thread that writes the access log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::access::{AccessFormat, AccessLog, AccessTo, Entry};

/// How often is looked whether another file, or none, is at the log's path.
const LOOK: Duration = Duration::from_secs(1);

/// How long lines gather before they are written at once: whoever says one wakes nobody meanwhile.
const GATHER: Duration = Duration::from_millis(10);

/// About how much is written at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Writes the log.
pub(super) struct Writer {
    file: File,
    /// Where it may be opened anew.
    path: Option<PathBuf>,
    looked: Instant,
    format: AccessFormat,
    text: String,
    /// The last write failed.
    fails: bool,
}

impl Writer {
    pub(super) fn open(log: AccessLog) -> io::Result<Self> {
        let (file, path) = match log.to {
            AccessTo::Path(path) => (open(&path)?, Some(path)),
            AccessTo::Open(file) => (file, None),
        };
        let looked = Instant::now();
        Ok(Self { file, path, looked, format: log.format, text: String::new(), fails: false })
    }

    /// Writes what comes, until the end is said.
    pub(super) fn run(mut self, entries: &Receiver<Option<Entry>>) {
        loop {
            let first = match entries.recv_timeout(LOOK) {
                Ok(entry) => Some(entry),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.look();
            let mut ends = false;
            for entry in first.into_iter().chain(entries.try_iter()) {
                match entry {
                    Some(entry) => entry.write(self.format, &mut self.text),
                    None => ends = true,
                }
                if self.text.len() >= PIECE {
                    self.write();
                }
            }
            self.write();
            if ends {
                return;
            }
            thread::sleep(GATHER);
        }
    }

    fn write(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let wrote = self.file.write_all(self.text.as_bytes());
        if let Err(error) = &wrote
            && !self.fails
        {
            tracing::error!(%error, "the access log cannot be written");
        }
        self.fails = wrote.is_err();
        self.text.clear();
    }

    /// Follows the path: whoever turns logs over moves the file away.
    fn look(&mut self) {
        let Some(path) = &self.path else { return };
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        let is_at = |found: &std::fs::Metadata| {
            let ours = self.file.metadata();
            ours.is_ok_and(|ours| (ours.dev(), ours.ino()) == (found.dev(), found.ino()))
        };
        if std::fs::metadata(path).is_ok_and(|found| is_at(&found)) {
            return;
        }
        match open(path) {
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "the access log cannot be opened anew");
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

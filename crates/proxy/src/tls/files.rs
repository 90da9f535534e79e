//! A certificate in a folder, `cert.pem` and `key.pem`: shown, and followed when it is renewed.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::time::sleep;

use crate::clock;
use crate::look::Look;
use crate::tls::{Shown, Wardrobe};

/// How often is looked whether the files are others.
const LOOK: Duration = Duration::from_millis(500);

/// How often is said that the certificate ends soon, or has ended.
const REMIND: Duration = Duration::from_hours(12);

/// With so much left nobody seems to renew it.
const SOON: Duration = Duration::from_hours(24 * 14);

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a folder's certificate cannot be shown.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is read, and is no certificate with its key.
    #[error("{dir}: {why}")]
    Wrong {
        /// Which folder.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A folder, followed.
pub(crate) struct Files {
    dir: PathBuf,
    shown: Arc<Shown>,
    /// What the files were like when they were read last.
    seen: [Option<Look>; 2],
    /// When its end is looked at again.
    remind_at: Cell<Instant>,
}

impl Files {
    /// With the folder's certificate shown.
    pub(crate) fn open(dir: PathBuf, shown: Arc<Shown>) -> Result<Self, FilesError> {
        let files = Self { seen: look(&dir), dir, shown, remind_at: Cell::new(Instant::now()) };
        files.apply()?;
        Ok(files)
    }

    /// Shows what is in the folder each time it is another, for ever. What cannot be used changes
    /// nothing: often the second of the two files is not written yet.
    pub(crate) async fn follow(mut self) {
        loop {
            sleep(LOOK).await;
            let seen = look(&self.dir);
            if seen == self.seen || seen.contains(&None) {
                self.remind();
                continue;
            }
            self.seen = seen;
            match self.apply() {
                Ok(()) => tracing::info!("another certificate is shown"),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the certificate of before is shown"
                ),
            }
        }
    }

    fn apply(&self) -> Result<(), FilesError> {
        let [chain, key] = paths(&self.dir).map(|path| read(&path));
        let wardrobe = Wardrobe::of_pair(&chain?, &key?)
            .map_err(|why| FilesError::Wrong { dir: self.dir.clone(), why })?;
        self.shown.put(wardrobe);
        self.remind_at.set(Instant::now());
        self.remind();
        Ok(())
    }

    /// Says that the certificate ends soon, or has ended; not all the time.
    fn remind(&self) {
        if self.remind_at.get() > Instant::now() {
            return;
        }
        self.remind_at.set(Instant::now() + REMIND);
        let (Some(end), now, dir) = (self.shown.end(), clock::now(), self.dir.display()) else {
            return;
        };
        if end <= now {
            tracing::error!("the certificate in {dir} ended at {end}: visitors are warned of it");
        } else if end <= now.plus(SOON) {
            tracing::warn!("the certificate in {dir} ends at {end}: who renews it?");
        }
    }
}

fn paths(dir: &Path) -> [PathBuf; 2] {
    [dir.join("cert.pem"), dir.join("key.pem")]
}

fn look(dir: &Path) -> [Option<Look>; 2] {
    paths(dir).map(|path| Look::at(&path).ok())
}

fn read(path: &Path) -> Result<Vec<u8>, FilesError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    read.map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

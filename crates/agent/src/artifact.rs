//! The bytes a release runs: checked, unpacked once, shared by all its instances on this machine.

mod fault;
mod links;
mod meter;
mod settled;
mod unpack;
mod writers;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use toehold_core::model::Digest;
use tokio::sync::Mutex;

pub(crate) use fault::UnpackError;
pub(crate) use unpack::Limits;

/// Why a release's folder cannot be had.
#[derive(Debug, Error)]
pub(crate) enum ArtifactError {
    /// The archive is not what it should be: trying again does not help.
    #[error("artifact {artifact} is refused")]
    Refused { artifact: Digest, source: UnpackError },
    /// This machine could not do it now: no space, no right, no file.
    #[error("artifact {artifact} cannot be unpacked from {path}")]
    Io { artifact: Digest, path: PathBuf, source: io::Error },
}

/// The folder the unpacked releases lie in, each named by its artifact's digest.
#[derive(Clone, Debug)]
pub(crate) struct Artifacts {
    dir: PathBuf,
    limits: Limits,
    /// One at a time: a large archive needs memory, and cleaning up must not meet unpacking.
    busy: Arc<Mutex<()>>,
}

impl Artifacts {
    pub(crate) fn new(dir: PathBuf, limits: Limits) -> Self {
        Self { dir, limits, busy: Arc::default() }
    }

    /// Where the folder of `artifact` is, or would be.
    pub(crate) fn place(&self, artifact: &Digest) -> PathBuf {
        self.dir.join(artifact.as_str())
    }

    /// The folder of `artifact` where it lies here unpacked; waits for nobody.
    pub(crate) fn found(&self, artifact: &Digest) -> Option<PathBuf> {
        let place = self.place(artifact);
        settled::is_whole(&place).then(|| {
            settled::settle(place.clone(), self.busy.clone());
            place
        })
    }

    /// The folder of `artifact`, unpacked from `path` where it is not there yet.
    pub(crate) async fn folder(
        &self,
        artifact: &Digest,
        path: &Path,
    ) -> Result<PathBuf, ArtifactError> {
        let _busy = self.busy.lock().await;
        let (place, limits) = (self.place(artifact), self.limits);
        let (digest, from, to) = (artifact.clone(), path.to_owned(), place.clone());
        let work = tokio::task::spawn_blocking(move || {
            if settled::is_whole(&to) {
                return Ok(());
            }
            unpack::unpack(&from, &digest, &to, limits)?;
            settled::mark(&to).map_err(UnpackError::Io)
        });
        match work.await.unwrap_or_else(|error| Err(UnpackError::Io(io::Error::other(error)))) {
            Ok(()) => {
                settled::settle(place.clone(), self.busy.clone());
                Ok(place)
            }
            Err(UnpackError::Io(source)) => {
                Err(ArtifactError::Io { artifact: artifact.clone(), path: path.to_owned(), source })
            }
            Err(source) => Err(ArtifactError::Refused { artifact: artifact.clone(), source }),
        }
    }

    /// Removes the folders of all artifacts but `used`, and what an interrupted unpacking left.
    pub(crate) async fn sweep(&self, used: BTreeSet<Digest>) {
        let Ok(_busy) = self.busy.try_lock() else { return };
        let dir = self.dir.clone();
        let kept: BTreeSet<String> = used.iter().map(|it| it.as_str().to_owned()).collect();
        let work = tokio::task::spawn_blocking(move || {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if kept.iter().any(|it| entry.file_name().to_string_lossy().starts_with(it)) {
                    continue;
                }
                let path = entry.path();
                if let Err(error) = remove(&path) {
                    tracing::warn!(path = %path.display(), %error, "An old release could not be removed.");
                }
            }
        });
        if let Err(error) = work.await {
            tracing::warn!(%error, "Removing old releases broke off.");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

#[cfg(test)]
mod tests;

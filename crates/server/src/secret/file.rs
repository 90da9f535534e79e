//! Files their owner alone may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::secret::random_id;

/// A secret file that cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot use {path}: see that this user owns it and the disk has space")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not what was written there.
    #[error("{path} is damaged: {what}. Put back a copy of it, or remove it: {lost}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: &'static str,
        /// What removing it costs.
        lost: &'static str,
    },
}

/// Makes a folder, and those above it, for its owner alone.
pub fn make_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FileError::Io { path: path.to_owned(), source })
}

/// The file's text; `None` where it is not there. One that others may read is closed to them
/// first.
pub fn read(path: &Path) -> Result<Option<String>, FileError> {
    let outcome = (|| {
        let metadata = fs::metadata(path)?;
        if metadata.mode() & 0o077 != 0 {
            tracing::warn!(file.path = %path.display(), "a secret file was readable by others and is not any more");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        }
        fs::read_to_string(path)
    })();
    match outcome {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Io { path: path.to_owned(), source }),
    }
}

/// Writes the file whole: durable, and never half there.
pub fn write(path: &Path, text: &str) -> Result<(), FileError> {
    place(path, text, |fresh| fs::rename(fresh, path))
}

/// Writes the file where there is none yet, whole. `false`: somebody else was faster.
pub(super) fn write_new(path: &Path, text: &str) -> Result<bool, FileError> {
    let mut new = true;
    place(path, text, |fresh| match fs::hard_link(fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            new = false;
            fs::remove_file(fresh)
        }
        linked => linked.and_then(|()| fs::remove_file(fresh)),
    })?;
    Ok(new)
}

fn place(
    path: &Path,
    text: &str,
    into_place: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), FileError> {
    let fresh = path.with_extension(format!("new-{}", random_id()));
    let outcome = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        into_place(&fresh)?;
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    })();
    outcome.map_err(|source| {
        // What is left of a failed write helps nobody.
        let _ = fs::remove_file(&fresh);
        FileError::Io { path: path.to_owned(), source }
    })
}

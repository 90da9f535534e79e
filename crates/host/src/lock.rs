//! One process a state folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// A folder that is ours until this is dropped or the process ends, however it ends: the kernel
/// lets go of the lock, so nothing is ever left over to be cleaned up by hand.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

/// Why a folder could not be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{dir} is in use by process {pid}: stop that one first, or choose another folder with --dir"
    )]
    Held {
        /// The folder.
        dir: PathBuf,
        /// The process that has it, in its own words.
        pid: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {dir}: is it a folder this user may write to?")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FolderLock {
    /// Takes `dir`, which is made where it is not there, readable by its owner alone.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { dir: dir.to_owned(), source };
        let mut file = open(dir).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                file.take(20).read_to_string(&mut pid).map_err(failed)?;
                return Err(LockError::Held { dir: dir.to_owned(), pid: pid.trim().to_owned() });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let pid = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        file.write_all(pid.as_bytes()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn open(dir: &Path) -> io::Result<File> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_who_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = dir.path().join("state");
        let held = FolderLock::take(&place).expect("free");
        let said = FolderLock::take(&place).expect_err("held").to_string();
        assert!(said.contains(&std::process::id().to_string()), "{said}");
        drop(held);
        FolderLock::take(&place).expect("free again");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let said = FolderLock::take(&file.join("state")).expect_err("not a folder").to_string();
        assert!(said.contains("file/state"), "{said}");
    }
}

//! Whether a file is another one than before, without reading it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    inode: u64,
    changed: SystemTime,
    bytes: u64,
}

impl Look {
    /// What the file is like now.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self { inode: meta.ino(), changed: meta.modified()?, bytes: meta.len() })
    }
}

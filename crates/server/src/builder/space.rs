//! Room on the disk, asked for before it is used.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toehold_host::disk::free_bytes;

/// A disk that is too full.
#[derive(Debug, Error)]
pub enum SpaceError {
    /// There is not enough room.
    #[error(
        "{what} needs {} in {dir}, where {} are free: make room, or move Toehold's folder to a \
         larger disk", size(*.needed_bytes), size(*.free_bytes)
    )]
    Full {
        /// What needs it.
        what: &'static str,
        /// The folder.
        dir: PathBuf,
        /// What is needed, the reserve included.
        needed_bytes: u64,
        /// What is there.
        free_bytes: u64,
    },
    /// The disk cannot be asked.
    #[error("cannot see how much is free in {dir}")]
    Unknown {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether `dir` has room for `bytes` and a reserve.
pub(super) fn room(
    what: &'static str,
    dir: &Path,
    bytes: u64,
    reserve_bytes: u64,
) -> Result<(), SpaceError> {
    let free_bytes =
        free_bytes(dir).map_err(|source| SpaceError::Unknown { dir: dir.to_owned(), source })?;
    let needed_bytes = bytes.saturating_add(reserve_bytes);
    if free_bytes < needed_bytes {
        return Err(SpaceError::Full { what, dir: dir.to_owned(), needed_bytes, free_bytes });
    }
    Ok(())
}

/// As people say it: `1.2 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.into_iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

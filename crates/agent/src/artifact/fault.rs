//! Why an archive is not unpacked.

use std::io;
use std::path::Path;

use thiserror::Error;
use toehold_core::model::Digest;

use crate::artifact::meter::Exceeded;

/// Bytes allowed between two entries: padding, the header, a long name and extended attributes.
pub(super) const BETWEEN_BYTES: u64 = 256 * 1024;

/// Why an archive is not unpacked.
#[derive(Debug, Error)]
pub(crate) enum UnpackError {
    #[error("its bytes have digest {found}: it was damaged or changed, so build it again")]
    Digest { found: Digest },
    #[error("its entry {path:?} would leave its folder")]
    Outside { path: String },
    #[error("its link {path:?} would leave its folder")]
    LinkOutside { path: String },
    #[error("its entry {path:?} is {kind}: only files, folders and symbolic links are unpacked")]
    Kind { path: String, kind: &'static str },
    #[error("its entry {path:?} comes twice, or where a file is")]
    Twice { path: String },
    #[error("it has more than {most} {what}")]
    TooMuch { most: u64, what: &'static str },
    #[error("it is not a whole archive")]
    Broken(#[source] io::Error),
    /// This machine's fault, not the archive's.
    #[error("the files could not be written")]
    Io(#[source] io::Error),
}

/// An error of reading: too much was read, or the archive is cut or garbled.
pub(super) fn broken(error: io::Error) -> UnpackError {
    match error.get_ref() {
        Some(inner) if inner.is::<Exceeded>() => {
            UnpackError::TooMuch { most: BETWEEN_BYTES, what: "bytes where a name belongs" }
        }
        Some(_) | None => UnpackError::Broken(error),
    }
}

pub(super) fn put(path: &Path, error: io::Error) -> UnpackError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            UnpackError::Twice { path: path.to_string_lossy().into_owned() }
        }
        _ => UnpackError::Io(error),
    }
}

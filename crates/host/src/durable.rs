//! Files that survive a power cut: whoever reads sees the whole of one version or the whole of
//! another.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What could not be kept or found again.
#[derive(Debug, Error)]
pub enum DurableError {
    /// The file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was to be kept has no JSON form.
    #[error("what belongs into {path} cannot be written as JSON")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Neither the file nor its predecessor is whole.
    #[error(
        "{path} is damaged, and so is its predecessor beside it: restore it, or move both away to begin anew"
    )]
    Torn {
        /// Which file.
        path: PathBuf,
    },
}

/// Writes `bytes` to `path`, readable by its owner alone. When this returns, they are on disk; if
/// the machine stops before, the file is what it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let failed = |source| DurableError::Write { path: path.to_owned(), source };
    let fresh = beside(path, ".new");
    write_new(&fresh, bytes).map_err(failed)?;
    fs::rename(&fresh, path).and_then(|()| sync_folder(path)).map_err(failed)
}

/// Keeps `value` at `path` as JSON with a checksum; the version before is kept beside it as
/// `.prev`.
pub fn save<T: Serialize>(path: &Path, value: &T) -> Result<(), DurableError> {
    let shape = |source| DurableError::Shape { path: path.to_owned(), source };
    let failed = |source| DurableError::Write { path: path.to_owned(), source };
    let mut bytes = serde_json::to_vec(value).map_err(shape)?;
    let sum = hex::encode(Sha256::digest(&bytes));
    bytes.extend_from_slice(format!("\nsha256 {sum}\n").as_bytes());
    let fresh = beside(path, ".new");
    write_new(&fresh, &bytes).map_err(failed)?;
    match fs::rename(path, beside(path, ".prev")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    fs::rename(&fresh, path).and_then(|()| sync_folder(path)).map_err(failed)
}

/// What [`save`] kept last; `None` where nothing ever was. A damaged file is passed over for the
/// version before it.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DurableError> {
    let prev = beside(path, ".prev");
    match (read(path)?, read(&prev)?) {
        (Found::Whole(value), _) | (Found::Absent | Found::Torn, Found::Whole(value)) => {
            Ok(Some(value))
        }
        (Found::Absent, Found::Absent) => Ok(None),
        (Found::Torn, _) | (Found::Absent, Found::Torn) => {
            Err(DurableError::Torn { path: path.to_owned() })
        }
    }
}

enum Found<T> {
    Whole(T),
    Absent,
    Torn,
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Found<T>, DurableError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(source) => return Err(DurableError::Read { path: path.to_owned(), source }),
    };
    Ok(verified(&bytes)
        .and_then(|json| serde_json::from_slice(json).ok())
        .map_or(Found::Torn, Found::Whole))
}

/// The JSON before the checksum line, where that line is right.
fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let body = bytes.strip_suffix(b"\n")?;
    let at = body.iter().rposition(|&b| b == b'\n')?;
    let (json, line) = (&body[..at], &body[at + 1..]);
    let sum = line.strip_prefix(b"sha256 ")?;
    (sum == hex::encode(Sha256::digest(json)).as_bytes()).then_some(json)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A rename is on disk only once the folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;

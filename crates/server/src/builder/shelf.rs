//! Artifacts on the shelf: each once, under its digest, until nobody needs it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;
use toehold_core::model::{Digest, Manifest};
use toehold_host::durable::{self, DurableError};

use crate::builder::archive::{ArchiveError, Content, pack};

/// Quick, and nearly as small as slower levels make a tree of sources.
const LEVEL: i32 = 3;

/// What the shelf could not do.
#[derive(Debug, Error)]
pub enum ShelfError {
    /// The tree cannot be packed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file of the shelf cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest cannot be kept.
    #[error(transparent)]
    Manifest(#[from] DurableError),
}

/// Where an artifact lies, below the folder of artifacts: `sha256/8c/8c1f….tar.zst`.
#[must_use]
pub fn path(artifacts: &Path, digest: &Digest) -> PathBuf {
    let hex = digest.as_str();
    artifacts.join("sha256").join(&hex[..2]).join(format!("{hex}.tar.zst"))
}

/// Where its manifest lies.
#[must_use]
pub fn manifest_path(artifacts: &Path, digest: &Digest) -> PathBuf {
    path(artifacts, digest).with_extension("").with_extension("json")
}

/// What was put there.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
    /// The same bytes were there already.
    pub(super) already: bool,
    pub(super) left_out: Vec<PathBuf>,
}

/// Packs a tree and puts it on the shelf. When this returns, it is on disk.
pub(super) fn put(artifacts: &Path, content: &Content<'_>) -> Result<Put, ShelfError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ShelfError::File { path, source }
    };
    let shelf = artifacts.join("sha256");
    fs::create_dir_all(&shelf).map_err(failed(&shelf))?;
    let fresh = tempfile_in(&shelf).map_err(failed(&shelf))?;
    let packed = write(content, &fresh).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
    let place = path(artifacts, &packed.digest);
    let already = place.exists();
    if already {
        fs::remove_file(&fresh).map_err(failed(&fresh))?;
        // It was used now: the shelf is cleared oldest first.
        let file = File::open(&place).map_err(failed(&place))?;
        file.set_modified(SystemTime::now()).map_err(failed(&place))?;
    } else {
        let folder = place.parent().unwrap_or(&shelf);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        fs::rename(&fresh, &place).map_err(failed(&place))?;
        for dir in [folder, &shelf] {
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed(dir))?;
        }
    }
    let size_bytes = fs::metadata(&place).map_err(failed(&place))?.len();
    let (digest, left_out) = (packed.digest, packed.left_out);
    Ok(Put { digest, size_bytes, already, left_out })
}

fn write(
    content: &Content<'_>,
    fresh: &Path,
) -> Result<crate::builder::archive::Packed, ShelfError> {
    let failed = |source| ShelfError::File { path: fresh.to_owned(), source };
    let file = File::create(fresh).map_err(failed)?;
    let mut zstd = zstd::Encoder::new(file, LEVEL).map_err(failed)?;
    let packed = pack(content, &mut zstd)?;
    zstd.finish().and_then(|file| file.sync_all()).map_err(failed)?;
    Ok(packed)
}

/// A name in `dir` that nobody has.
fn tempfile_in(dir: &Path) -> io::Result<PathBuf> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(dir.join(format!("{}.new", hex::encode(bytes))))
}

/// Writes what is known of an artifact beside it.
pub(super) fn describe(artifacts: &Path, manifest: &Manifest) -> Result<(), ShelfError> {
    let path = manifest_path(artifacts, &manifest.digest);
    let text = serde_json::to_vec_pretty(manifest)
        .map_err(|error| ShelfError::File { path: path.clone(), source: error.into() })?;
    Ok(durable::write(&path, &text)?)
}

/// What was cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The digests that are gone.
    pub removed: Vec<Digest>,
    /// The bytes that are free again.
    pub freed_bytes: u64,
}

/// Clears the folder of artifacts: those made or used last stay, at most `max_count` and
/// `max_bytes` of them, and those in `keep` in any case. Also removes what an interrupted build
/// left half-written, once it is a day old.
pub fn prune(
    artifacts: &Path,
    keep: &BTreeSet<Digest>,
    max_count: usize,
    max_bytes: u64,
) -> Result<Pruned, ShelfError> {
    let mut found = all(artifacts)?;
    // Those that must stay count first, then the newest.
    found.sort_by_key(|it| (!keep.contains(&it.digest), std::cmp::Reverse(it.used)));
    let mut pruned = Pruned::default();
    let (mut count, mut bytes) = (0, 0_u64);
    for Shelved { digest, size_bytes, .. } in found {
        count += 1;
        bytes = bytes.saturating_add(size_bytes);
        if keep.contains(&digest) || (count <= max_count && bytes <= max_bytes) {
            continue;
        }
        for path in [path(artifacts, &digest), manifest_path(artifacts, &digest)] {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(ShelfError::File { path, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        pruned.freed_bytes += size_bytes;
        pruned.removed.push(digest);
    }
    Ok(pruned)
}

struct Shelved {
    digest: Digest,
    size_bytes: u64,
    used: SystemTime,
}

fn all(artifacts: &Path) -> Result<Vec<Shelved>, ShelfError> {
    let mut found = Vec::new();
    let shelf = artifacts.join("sha256");
    if !shelf.exists() {
        return Ok(found);
    }
    for entry in walkdir::WalkDir::new(&shelf).max_depth(2) {
        let failed = |source| ShelfError::File { path: shelf.clone(), source };
        let entry = entry.map_err(|error| failed(error.into()))?;
        let about = entry.metadata().map_err(|error| failed(error.into()))?;
        let used = about.modified().map_err(failed)?;
        let name = entry.file_name().to_string_lossy();
        if let Some(Ok(digest)) = name.strip_suffix(".tar.zst").map(str::parse) {
            found.push(Shelved { digest, size_bytes: about.len(), used });
        } else if name.strip_suffix(".new").is_some() && about.is_file() && is_old(used) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(found)
}

fn is_old(made: SystemTime) -> bool {
    made.elapsed().is_ok_and(|age| age > std::time::Duration::from_hours(24))
}

//! A tree as an archive that is the same whenever the tree is: names in order, one owner, two modes,
//! and times that are made of what is in a file.
//!
//! One time for all would do for the archive, but not for who gets the files: web servers tell by
//! size and time whether a visitor's copy is still right, and would call last release's page right
//! wherever this release's is as long.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};
use thiserror::Error;
use toehold_core::model::Digest;
use walkdir::WalkDir;

use crate::builder::snapshot::Snapshot;

/// The first time there is, in 2001, and that of folders and links. Zip files cannot hold 1970.
const TIME: u64 = 1_000_000_000;

/// Times lie within so many seconds, eight years.
const TIMES: u64 = 1 << 28;

/// Files up to this size are read once, larger ones twice, in bytes.
const AT_ONCE: u64 = 8 << 20;

/// More links than that in a row are a circle.
const MAX_LINKS: usize = 40;

/// A tree that cannot become an artifact.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A link leads out.
    #[error(
        "{link} is a link to {target}, outside the checkout, where an artifact cannot follow: make \
         it a file, or name it in [build] exclude"
    )]
    LinkOut {
        /// The link, relative to the checkout.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link leads to itself.
    #[error("{link} is a link that leads in a circle: remove it, or name it in [build] exclude")]
    Circle {
        /// The link, relative to the checkout.
        link: PathBuf,
    },
    /// It is too large.
    #[error("it is larger than {max_bytes} bytes: name what it does not need in [build] exclude")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// A file cannot be read, or the archive not be written.
    #[error("cannot pack {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was packed.
#[derive(Debug)]
pub(super) struct Packed {
    /// The SHA-256 of the archive.
    pub(super) digest: Digest,
    /// Files that were left out since an artifact holds only files, folders and links.
    pub(super) left_out: Vec<PathBuf>,
}

/// What an archive holds.
pub(super) struct Content<'a> {
    /// The tree.
    pub(super) root: &'a Path,
    /// Only what was there then.
    pub(super) snapshot: &'a Snapshot,
    /// But none of this, by patterns.
    pub(super) exclude: &'a GlobSet,
    /// The largest it may be, in bytes.
    pub(super) max_bytes: u64,
}

/// Writes the archive of a tree to `to`.
pub(super) fn pack(content: &Content<'_>, to: impl Write) -> Result<Packed, ArchiveError> {
    let mut left_out = Vec::new();
    let mut archive = Builder::new(Hashing { to, sha: Sha256::new(), left: content.max_bytes });
    let walk = WalkDir::new(content.root).min_depth(1).sort_by_file_name().into_iter();
    let kept = walk.filter_entry(|entry| {
        let path = entry.path().strip_prefix(content.root).unwrap_or(entry.path());
        entry.file_name() != ".git" && content.snapshot.has(path) && !content.exclude.is_match(path)
    });
    for entry in kept {
        let at = |error: &walkdir::Error| error.path().unwrap_or(content.root).to_owned();
        let entry =
            entry.map_err(|error| ArchiveError::File { path: at(&error), source: error.into() })?;
        let path = entry.path().strip_prefix(content.root).unwrap_or(entry.path()).to_owned();
        let kind = entry.file_type();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::FileTooLarge => ArchiveError::TooLarge { max_bytes: content.max_bytes },
            _ => ArchiveError::File { path: path.clone(), source },
        };
        if kind.is_dir() {
            archive.append_data(&mut header(EntryType::Directory, 0o755, 0), &path, io::empty())
        } else if kind.is_symlink() {
            let target = target(content.root, &path)?;
            archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), &path, target)
        } else if kind.is_file() {
            append_file(&mut archive, entry.path(), &path)
        } else {
            left_out.push(path.clone());
            Ok(())
        }
        .map_err(failed)?;
    }
    let end = |source| ArchiveError::File { path: content.root.to_owned(), source };
    let mut hashing = archive.into_inner().map_err(end)?;
    hashing.to.flush().map_err(end)?;
    Ok(Packed { digest: Digest::from_raw(&hashing.sha.finalize().into()), left_out })
}

fn append_file<W: Write>(archive: &mut Builder<W>, from: &Path, path: &Path) -> io::Result<()> {
    let file = File::open(from)?;
    let about = file.metadata()?;
    let mode = if about.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    let mut header = header(EntryType::Regular, mode, about.len());
    // A file that grows meanwhile must not run into the next entry.
    let mut content = file.take(about.len());
    let mut sha = Sha256::new();
    if about.len() <= AT_ONCE {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        sha.update(&bytes);
        header.set_mtime(time(sha));
        header.set_size(bytes.len() as u64);
        return archive.append_data(&mut header, path, bytes.as_slice());
    }
    let size = io::copy(&mut content, &mut sha)?;
    header.set_mtime(time(sha));
    header.set_size(size);
    archive.append_data(&mut header, path, File::open(from)?.take(size))
}

/// A time that another content does not have.
fn time(content: Sha256) -> u64 {
    let sha = content.finalize();
    let number = sha.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
    TIME + number % TIMES
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(TIME);
    header.set_size(size);
    header
}

/// Patterns of paths; each leaves out what matches it and all that lies below.
pub(super) fn patterns(texts: impl Iterator<Item = String>) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for text in texts {
        let text = text.trim_end_matches('/');
        if let Ok(glob) = GlobBuilder::new(text).literal_separator(true).build() {
            set.add(glob);
        }
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}

/// Whether the path, or a folder it lies in, matches.
pub(super) fn is_excluded(patterns: &GlobSet, path: &Path) -> bool {
    path.ancestors().any(|path| patterns.is_match(path))
}

/// Where a link leads; an error where that is not in the tree, by whatever detour.
fn target(root: &Path, link: &Path) -> Result<PathBuf, ArchiveError> {
    let failed = |source| ArchiveError::File { path: link.to_owned(), source };
    let target = fs::read_link(root.join(link)).map_err(failed)?;
    let out = || ArchiveError::LinkOut { link: link.to_owned(), target: target.clone() };
    let parent = link.parent().unwrap_or(Path::new(""));
    let mut place: Vec<PathBuf> = parent.components().map(|it| it.as_os_str().into()).collect();
    let mut ahead: Vec<PathBuf> = reversed(&target);
    let mut followed = 0;
    while let Some(part) = ahead.pop() {
        match part.components().next() {
            Some(Component::CurDir) | None => {}
            Some(Component::ParentDir) => {
                place.pop().ok_or_else(out)?;
            }
            Some(Component::RootDir | Component::Prefix(_)) => return Err(out()),
            Some(Component::Normal(name)) => {
                place.push(name.into());
                let here = root.join(place.iter().collect::<PathBuf>());
                // What is not there leads nowhere, and so not out.
                if let Ok(next) = fs::read_link(&here) {
                    followed += 1;
                    if followed > MAX_LINKS {
                        return Err(ArchiveError::Circle { link: link.to_owned() });
                    }
                    place.pop();
                    ahead.extend(reversed(&next));
                }
            }
        }
    }
    Ok(target)
}

fn reversed(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|it| it.as_os_str().into()).collect()
}

/// Passes bytes on, and counts and hashes them.
struct Hashing<W> {
    to: W,
    sha: Sha256,
    left: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.left = self
            .left
            .checked_sub(written as u64)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

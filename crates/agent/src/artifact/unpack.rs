//! Unpacking an archive that somebody else made.
//!
//! The archive is taken to be hostile until its digest was seen, which is at its end; so nothing
//! of it may act before. All of it goes into a fresh folder of ours beside its place: a path is
//! only used where each of its folders was made by us from this archive, so there is no link to be
//! led astray by. The folder gets its name in one step, when everything was right.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use tar::{Archive, Entry, EntryType};
use thiserror::Error;
use toehold_core::model::Digest;

use crate::artifact::links::stays_inside;
use crate::artifact::meter::{Allowance, Exceeded, Meter};

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Files, folders and links.
    pub(crate) entries: u64,
    /// Uncompressed bytes of all files.
    pub(crate) bytes: u64,
    /// Folders in folders.
    pub(crate) depth: usize,
}

impl Default for Limits {
    /// Roomy for an app with all it depends on, small enough for a disk.
    fn default() -> Self {
        Self { entries: 500_000, bytes: 4 << 30, depth: 64 }
    }
}

/// Bytes allowed between two entries: padding, the header, a long name and extended attributes.
const BETWEEN_BYTES: u64 = 256 * 1024;

/// Zeros allowed after the last entry.
const END_BYTES: u64 = 1 << 20;

/// The largest window a decompressor may need, as a power of two: 32 MiB.
const WINDOW_LOG: u32 = 25;

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

/// Unpacks `from` (`.tar.zst`) to `to`, in place of what is there, if the uncompressed archive has
/// this digest. Either `to` is there and whole at the end, or nothing is.
pub(super) fn unpack(
    from: &Path,
    digest: &Digest,
    to: &Path,
    limits: Limits,
) -> Result<(), UnpackError> {
    let parent = to.parent().unwrap_or(Path::new("."));
    let fresh = parent.join(format!(".{}.new", digest.as_str()));
    DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(UnpackError::Io)?;
    clear(&fresh).and_then(|()| clear(to)).map_err(UnpackError::Io)?;
    let done = unpack_into(from, digest, &fresh, limits)
        .and_then(|()| fs::rename(&fresh, to).map_err(UnpackError::Io));
    if done.is_err() {
        // What stays is cleared at the next try.
        let _ = clear(&fresh);
    }
    done
}

/// Removes a folder, where it is there.
fn clear(fresh: &Path) -> io::Result<()> {
    match fs::remove_dir_all(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unpack_into(
    from: &Path,
    digest: &Digest,
    fresh: &Path,
    limits: Limits,
) -> Result<(), UnpackError> {
    let file = File::open(from).map_err(UnpackError::Io)?;
    let mut decoder =
        zstd::Decoder::with_buffer(BufReader::new(file)).map_err(UnpackError::Broken)?;
    decoder.window_log_max(WINDOW_LOG).map_err(UnpackError::Broken)?;
    let allowance = Allowance::default();
    let mut archive = Archive::new(Meter::new(decoder, allowance.clone()));
    let mut place = Place::new(fresh, limits)?;
    let mut entries = archive.entries().map_err(UnpackError::Broken)?;
    loop {
        allowance.set(BETWEEN_BYTES);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(broken)?;
        allowance.set(entry.size().saturating_add(BETWEEN_BYTES));
        place.take(&mut entry)?;
    }
    let mut rest = archive.into_inner();
    allowance.set(END_BYTES);
    io::copy(&mut rest, &mut io::sink()).map_err(broken)?;
    place.check_links()?;
    let found = rest.digest();
    if found != *digest {
        return Err(UnpackError::Digest { found });
    }
    Ok(())
}

/// An error of reading: too much was read, or the archive is cut or garbled.
fn broken(error: io::Error) -> UnpackError {
    match error.get_ref() {
        Some(inner) if inner.is::<Exceeded>() => {
            UnpackError::TooMuch { most: BETWEEN_BYTES, what: "bytes where a name belongs" }
        }
        Some(_) | None => UnpackError::Broken(error),
    }
}

/// The fresh folder, and what was put there so far.
struct Place<'a> {
    root: &'a Path,
    limits: Limits,
    /// Folders we made, relative to the root: the only ones anything is put into.
    folders: BTreeSet<PathBuf>,
    links: Vec<PathBuf>,
    entries: u64,
    bytes: u64,
}

impl<'a> Place<'a> {
    fn new(root: &'a Path, limits: Limits) -> Result<Self, UnpackError> {
        DirBuilder::new().mode(0o755).create(root).map_err(UnpackError::Io)?;
        let folders = BTreeSet::from([PathBuf::new()]);
        Ok(Self { root, limits, folders, links: Vec::new(), entries: 0, bytes: 0 })
    }

    fn take<R: Read>(&mut self, entry: &mut Entry<R>) -> Result<(), UnpackError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(UnpackError::TooMuch { most: self.limits.entries, what: "entries" });
        }
        let given = entry.path().map_err(UnpackError::Broken)?.into_owned();
        let shown = given.to_string_lossy().into_owned();
        let path = self.inside(&given)?;
        match entry.header().entry_type() {
            EntryType::Directory => self.folder(&path),
            EntryType::Regular => self.file(&path, entry, &shown),
            EntryType::Symlink => self.link(path, entry, &shown),
            other => Err(UnpackError::Kind { path: shown, kind: kind(other) }),
        }
    }

    /// The path relative to the root, without `.`; refused where it could lead out.
    fn inside(&self, given: &Path) -> Result<PathBuf, UnpackError> {
        let outside = || UnpackError::Outside { path: given.to_string_lossy().into_owned() };
        let mut path = PathBuf::new();
        for part in given.components() {
            match part {
                Component::Normal(name) => path.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(outside());
                }
            }
        }
        if path.components().count() > self.limits.depth {
            let most = self.limits.depth as u64;
            return Err(UnpackError::TooMuch { most, what: "folders in folders" });
        }
        Ok(path)
    }

    /// Makes a folder and those around it. A name that is there and not a folder of ours is
    /// refused.
    fn folder(&mut self, path: &Path) -> Result<(), UnpackError> {
        if self.folders.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.folder(parent)?;
        }
        DirBuilder::new().mode(0o755).create(self.root.join(path)).map_err(|it| put(path, it))?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    fn around(&mut self, path: &Path) -> Result<PathBuf, UnpackError> {
        match path.parent() {
            Some(parent) => self.folder(parent)?,
            // A file cannot stand for the root itself.
            None => return Err(UnpackError::Outside { path: String::from(".") }),
        }
        Ok(self.root.join(path))
    }

    fn file<R: Read>(
        &mut self,
        path: &Path,
        entry: &mut Entry<R>,
        shown: &str,
    ) -> Result<(), UnpackError> {
        let mode = entry.header().mode().map_err(UnpackError::Broken)?;
        if mode & 0o6000 != 0 {
            let kind = "a program that runs as someone else (setuid)";
            return Err(UnpackError::Kind { path: shown.to_owned(), kind });
        }
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > self.limits.bytes {
            return Err(UnpackError::TooMuch { most: self.limits.bytes, what: "bytes" });
        }
        let place = self.around(path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(place)
            .map_err(|error| put(path, error))?;
        copy(entry, &mut file)?;
        finish(&file, mode, entry.header().mtime().unwrap_or(0)).map_err(UnpackError::Io)
    }

    fn link<R: Read>(
        &mut self,
        path: PathBuf,
        entry: &Entry<R>,
        shown: &str,
    ) -> Result<(), UnpackError> {
        let target = entry.link_name().map_err(UnpackError::Broken)?;
        let target = target.ok_or_else(|| UnpackError::LinkOutside { path: shown.to_owned() })?;
        if target.is_absolute() {
            return Err(UnpackError::LinkOutside { path: shown.to_owned() });
        }
        let place = self.around(&path)?;
        symlink(target, place).map_err(|error| put(&path, error))?;
        self.links.push(path);
        Ok(())
    }

    /// Where a link leads can only be told when everything is there.
    fn check_links(&self) -> Result<(), UnpackError> {
        match self.links.iter().find(|path| !stays_inside(self.root, path)) {
            Some(path) => {
                Err(UnpackError::LinkOutside { path: path.to_string_lossy().into_owned() })
            }
            None => Ok(()),
        }
    }
}

/// Errors of reading are the archive's, errors of writing this machine's.
fn copy(entry: &mut impl Read, file: &mut File) -> Result<(), UnpackError> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match entry.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            count => file.write_all(&buffer[..count]).map_err(UnpackError::Io)?,
        }
    }
}

/// The bytes of a release are not to be changed by what runs them. Its time is kept, so that an
/// app which makes an `ETag` of it says the same on every machine.
fn finish(file: &File, mode: u32, mtime: u64) -> io::Result<()> {
    let mode = if mode & 0o111 == 0 { 0o444 } else { 0o555 };
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    if mtime > 0 {
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(mtime));
        at.map_or(Ok(()), |at| file.set_modified(at))?;
    }
    Ok(())
}

fn put(path: &Path, error: io::Error) -> UnpackError {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            UnpackError::Twice { path: path.to_string_lossy().into_owned() }
        }
        _ => UnpackError::Io(error),
    }
}

fn kind(entry: EntryType) -> &'static str {
    match entry {
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of a kind we do not know",
    }
}

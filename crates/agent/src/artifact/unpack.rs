//! Unpacking an archive that somebody else made.
//!
//! The archive is taken to be hostile until its digest was seen, which is at its end; so nothing
//! of it may act before. All of it goes into a fresh folder of ours beside its place: a path is
//! only used where each of its folders was made by us from this archive, so there is no link to be
//! led astray by. The folder gets its name in one step, when everything was right.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::thread;

use tar::{Archive, Entry, EntryType};
use toehold_core::model::Digest;

use crate::artifact::fault::{BETWEEN_BYTES, UnpackError, broken, put};
use crate::artifact::links::stays_inside;
use crate::artifact::meter::{Allowance, Meter};
use crate::artifact::writers::{NewFile, SMALL, Writers};

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

/// Zeros allowed after the last entry.
const END_BYTES: u64 = 1 << 20;

/// The largest window a decompressor may need, as a power of two: 32 MiB.
const WINDOW_LOG: u32 = 25;

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
    thread::scope(|scope| {
        let mut place = Place::new(fresh, limits, Writers::begin(scope))?;
        let read = place.take_all(&mut archive, &allowance);
        // A reader that nobody writes for any more is stopped by what stopped the writers.
        place.writers.end().and(read)?;
        place.check_links()
    })?;
    let mut rest = archive.into_inner();
    allowance.set(END_BYTES);
    io::copy(&mut rest, &mut io::sink()).map_err(broken)?;
    let found = rest.digest();
    if found != *digest {
        return Err(UnpackError::Digest { found });
    }
    Ok(())
}

/// The fresh folder, and what was put there so far.
struct Place<'a, 'scope> {
    root: &'a Path,
    limits: Limits,
    writers: Writers<'scope>,
    /// Folders we made, relative to the root: the only ones anything is put into.
    folders: BTreeSet<PathBuf>,
    links: Vec<PathBuf>,
    entries: u64,
    bytes: u64,
}

impl<'a, 'scope> Place<'a, 'scope> {
    fn new(root: &'a Path, limits: Limits, writers: Writers<'scope>) -> Result<Self, UnpackError> {
        DirBuilder::new().mode(0o755).create(root).map_err(UnpackError::Io)?;
        let folders = BTreeSet::from([PathBuf::new()]);
        Ok(Self { root, limits, writers, folders, links: Vec::new(), entries: 0, bytes: 0 })
    }

    fn take_all<R: Read>(
        &mut self,
        archive: &mut Archive<R>,
        allowance: &Allowance,
    ) -> Result<(), UnpackError> {
        let mut entries = archive.entries().map_err(UnpackError::Broken)?;
        loop {
            allowance.set(BETWEEN_BYTES);
            let Some(entry) = entries.next() else { return Ok(()) };
            let mut entry = entry.map_err(broken)?;
            allowance.set(entry.size().saturating_add(BETWEEN_BYTES));
            self.take(&mut entry)?;
        }
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
        let file = NewFile {
            shown: shown.to_owned(),
            place,
            mode,
            mtime: entry.header().mtime().unwrap_or(0),
        };
        if entry.size() > SMALL {
            return file.write(entry);
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        self.writers.write(file, bytes)
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

fn kind(entry: EntryType) -> &'static str {
    match entry {
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of a kind we do not know",
    }
}

//! Trees of files, copied and removed.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use walkdir::WalkDir;

/// Copies at a time: more do not help a disk, and a build shares the machine.
const WORKERS: usize = 2;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Copied {
    /// Files and links.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Copies the tree `from` to `to`, which must not be there: files with their modes and times, links
/// as they are. Files of any other kind are left out.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<Copied> {
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    let mut copied = Copied::default();
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let relative = entry.path().strip_prefix(from).map_err(io::Error::other)?;
        let target = if entry.depth() == 0 { to.to_owned() } else { to.join(relative) };
        let kind = entry.file_type();
        if kind.is_dir() {
            fs::create_dir(&target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
            copied.files += 1;
        } else if kind.is_file() {
            copied.files += 1;
            copied.bytes += entry.metadata()?.len();
            files.push((entry.into_path(), target));
        }
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((from, to)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            copy_file(from, to)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(_) => Err(io::Error::other("a copy was stopped")),
        })
    })?;
    Ok(copied)
}

/// The times are kept: Python and Cargo tell by them whether what they made is fresh.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    let about = fs::metadata(from)?;
    let time = Timespec { tv_sec: about.mtime(), tv_nsec: about.mtime_nsec() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, to, &times, AtFlags::empty())?)
}

/// Removes a tree, also one whose folders were made unreadable.
pub(super) fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open(dir);
            fs::remove_dir_all(dir)
        }
        done => done,
    }
}

/// Makes every folder below `dir` one that can be read and emptied.
fn open(dir: &Path) {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(inner.map(|entry| entry.path()));
    }
}

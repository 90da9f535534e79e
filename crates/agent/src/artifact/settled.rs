//! Whether an unpacked release survived what happened to the machine.
//!
//! What was written a moment before a power cut may be there by name and empty. Waiting for the
//! disk at each deploy would cost seconds where it is busy; so beside each folder stands in which
//! boot of the machine it was unpacked, until the disk has caught up, which is seen to beside the
//! start. A folder of an earlier boot that never got so far is unpacked again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toehold_host::process::boot_id;
use tokio::sync::Mutex;

/// Stands in the mark once the disk has everything.
const SETTLED: &str = "settled";

/// Whether the folder is there and whole. One that is not is to be unpacked again.
pub(super) fn is_whole(folder: &Path) -> bool {
    let mark = fs::read_to_string(mark_of(folder)).unwrap_or_default();
    folder.is_dir() && (mark == SETTLED || mark == boot_id())
}

/// The folder was unpacked in this boot.
pub(super) fn mark(folder: &Path) -> io::Result<()> {
    fs::write(mark_of(folder), boot_id())
}

/// Waits, beside everything else, until the disk has the folder; nothing to do where it had it.
/// `busy` is held while the mark is changed, so that nobody removes the folder in that moment.
pub(super) fn settle(folder: PathBuf, busy: Arc<Mutex<()>>) {
    tokio::task::spawn_blocking(move || {
        let mark = mark_of(&folder);
        if fs::read_to_string(&mark).is_ok_and(|it| it == SETTLED) {
            return;
        }
        let synced = File::open(&folder).and_then(|it| Ok(rustix::fs::syncfs(it)?));
        let _busy = busy.blocking_lock();
        if !folder.exists() {
            return;
        }
        // Put in place whole: who finds a mark without its word would unpack the release again,
        // below the instances that run from it.
        let whole = mark.with_added_extension("new");
        let marked = synced
            .and_then(|()| fs::write(&whole, SETTLED))
            .and_then(|()| fs::rename(&whole, &mark));
        if let Err(error) = marked {
            tracing::warn!(path = %folder.display(), %error, "It is not certain that a release is on disk; after a power cut it is unpacked again.");
        }
    });
}

fn mark_of(folder: &Path) -> PathBuf {
    folder.with_added_extension("mark")
}

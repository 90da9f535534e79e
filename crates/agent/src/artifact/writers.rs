//! Small files are written by several threads while the archive is read on: making a file costs a
//! disk more than its bytes do, and a Node app has thousands.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, SystemTime};
use std::{io, iter};

use crate::artifact::fault::{UnpackError, broken, put};

/// The largest file that is handed on, in bytes; larger ones are written as they are read.
pub(super) const SMALL: u64 = 64 << 10;

/// Threads that write: more do not help a disk, and the apps of this machine are at work.
const WRITERS: usize = 2;

/// Files that may wait. Times [`SMALL`] that is the memory this takes at most.
const WAITING: usize = 32;

/// A file that is to be made.
pub(super) struct NewFile {
    /// Its name in the archive.
    pub(super) shown: String,
    pub(super) place: PathBuf,
    /// The mode of the archive; only whether it may be run is taken from it.
    pub(super) mode: u32,
    /// In seconds since 1970; 0 is unknown.
    pub(super) mtime: u64,
}

impl NewFile {
    /// Makes it; never in the place of something else.
    pub(super) fn write(&self, mut content: impl Read) -> Result<(), UnpackError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.place)
            .map_err(|error| put(Path::new(&self.shown), error))?;
        copy(&mut content, &mut file)?;
        self.finish(&file).map_err(UnpackError::Io)
    }

    /// The bytes of a release are not to be changed by what runs them. Its time is kept, so that
    /// an app which makes an `ETag` of it says the same on every machine.
    fn finish(&self, file: &File) -> io::Result<()> {
        let mode = if self.mode & 0o111 == 0 { 0o444 } else { 0o555 };
        file.set_permissions(Permissions::from_mode(mode))?;
        if self.mtime > 0 {
            let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.mtime));
            at.map_or(Ok(()), |at| file.set_modified(at))?;
        }
        Ok(())
    }
}

/// Errors of reading are the archive's, errors of writing this machine's.
fn copy(content: &mut impl Read, file: &mut File) -> Result<(), UnpackError> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match content.read(&mut buffer).map_err(broken)? {
            0 => return Ok(()),
            count => file.write_all(&buffer[..count]).map_err(UnpackError::Io)?,
        }
    }
}

type Job = (NewFile, Vec<u8>);

/// The threads that write.
pub(super) struct Writers<'scope> {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<ScopedJoinHandle<'scope, Result<(), UnpackError>>>,
}

impl<'scope> Writers<'scope> {
    pub(super) fn begin(scope: &'scope Scope<'scope, '_>) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = iter::repeat_n(receiver, WRITERS)
            .map(|jobs| scope.spawn(move || write_all(&jobs)))
            .collect();
        Self { jobs: Some(sender), threads }
    }

    /// Hands a file on. What comes of it, [`Writers::end`] says.
    pub(super) fn write(&self, file: NewFile, content: Vec<u8>) -> Result<(), UnpackError> {
        let gone = || UnpackError::Io(io::Error::from(io::ErrorKind::BrokenPipe));
        self.jobs.as_ref().ok_or_else(gone)?.send((file, content)).map_err(|_| gone())
    }

    /// Waits until all is written; the first error, where there is one.
    pub(super) fn end(&mut self) -> Result<(), UnpackError> {
        self.jobs = None;
        let stopped = |_| Err(UnpackError::Io(io::Error::other("a thread that writes stopped")));
        let mut ends = self.threads.drain(..).map(|it| it.join().unwrap_or_else(stopped));
        let first = ends.by_ref().find(Result::is_err).unwrap_or(Ok(()));
        ends.for_each(drop);
        first
    }
}

/// Writes what comes until nothing comes any more, or something cannot be written.
fn write_all(jobs: &Mutex<Receiver<Job>>) -> Result<(), UnpackError> {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((file, content)) = job else { return Ok(()) };
        file.write(content.as_slice())?;
    }
}

//! Bringing an artifact over the link. What was cut is gone on with where it broke off; whether the
//! bytes are right is seen when they are unpacked.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use toehold_core::model::Digest;
use toehold_core::wire::call::{Answer, Call};
use toehold_host::link::{self, LinkError};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::dial::{ControlPlane, DialError, known};

/// The longest without a single byte.
const SILENCE: Duration = Duration::from_secs(20);

/// For how long a cut transfer is gone on with before it is given up for now, and the waits between.
const PATIENCE: Duration = Duration::from_mins(5);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 128 * 1024;

/// Why an artifact could not be brought.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error("its bytes are not on this machine, and the control plane is: {0} is not there")]
    Absent(PathBuf),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the control plane does not give it: {0}")]
    Refused(String),
    #[error("the transfer was cut after {at} of {of} bytes")]
    Cut { at: u64, of: u64 },
    #[error("the link failed")]
    Link(#[from] LinkError),
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: io::Error },
}

impl FetchError {
    /// Whether another try may go on where this one broke off.
    const fn is_transient(&self) -> bool {
        match self {
            Self::Dial(_) | Self::Cut { .. } | Self::Link(_) => true,
            Self::Absent(_) | Self::Refused(_) | Self::Write { .. } => false,
        }
    }
}

/// Sees to it that the packed artifact lies at `to`.
pub(crate) async fn bring(
    control: &ControlPlane,
    artifact: &Digest,
    to: &Path,
) -> Result<(), FetchError> {
    if fs::try_exists(to).await.unwrap_or(false) {
        return Ok(());
    }
    let (begun, mut wait) = (Instant::now(), FIRST_WAIT);
    loop {
        match bring_once(control, artifact, to).await {
            Err(error) if error.is_transient() && begun.elapsed() < PATIENCE => {
                tracing::warn!(artifact = %artifact.short(), %error, "An artifact did not come whole: going on where it broke off.");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            done => return done,
        }
    }
}

async fn bring_once(
    control: &ControlPlane,
    artifact: &Digest,
    to: &Path,
) -> Result<(), FetchError> {
    let ControlPlane::Elsewhere(membership) = control else {
        return Err(FetchError::Absent(to.to_owned()));
    };
    let failed = |source| FetchError::Write { path: to.to_owned(), source };
    let part = to.with_extension("part");
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await.map_err(failed)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(&part).await.map_err(failed)?;
    let have = file.metadata().await.map_err(failed)?.len();
    let (mut reader, mut writer) = link::split::<Answer, Call>(known(membership).await?);
    writer.send(&Call::Fetch { artifact: artifact.clone(), from_byte: have }).await?;
    let answer = tokio::time::timeout(SILENCE, reader.next()).await;
    let (count, of) = match answer.map_err(|_| FetchError::Cut { at: have, of: have })?? {
        Some(Answer::Bytes { count, of }) => (count, of),
        Some(Answer::Refused { why }) => {
            // Whatever lies here was not the beginning of it.
            let _ = fs::remove_file(&part).await;
            return Err(FetchError::Refused(why));
        }
        Some(Answer::Joined(_)) | None => return Err(FetchError::Cut { at: have, of: have }),
    };
    let at = have + keep(file, reader.into_bytes().take(count)).await.map_err(failed)?;
    if at < of {
        return Err(FetchError::Cut { at, of });
    }
    fs::rename(&part, to).await.map_err(failed)
}

/// Writes what comes until nothing comes any more, and says how many bytes the disk has of it.
async fn keep(mut file: File, mut bytes: impl AsyncRead + Unpin) -> io::Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut kept = 0;
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(SILENCE, bytes.read(&mut piece)).await {
        file.write_all(&piece[..read]).await?;
        kept += read as u64;
    }
    // A write is only queued, and syncing does not say that the last one failed.
    file.flush().await?;
    file.sync_all().await?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;

    #[tokio::test]
    async fn a_disk_that_is_full_at_the_last_write_is_not_taken_for_one_that_has_it_all() {
        // A file that can be synced and does not grow: a full disk.
        let full = memfd_create("full", MemfdFlags::ALLOW_SEALING).expect("made");
        fcntl_add_seals(&full, SealFlags::GROW).expect("sealed");
        let full = File::from_std(full.into());
        keep(full, &b"the whole of it"[..]).await.expect_err("nothing was written");
    }
}

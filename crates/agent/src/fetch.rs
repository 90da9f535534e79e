//! Bringing an artifact over the link. What was cut is gone on with where it broke off; whether the
//! bytes are right is seen when they are unpacked.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use toehold_core::model::Digest;
use toehold_core::wire::call::{Answer, Call};
use toehold_host::link::{self, LinkError};
use tokio::fs::{self, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
    let mut file =
        OpenOptions::new().create(true).append(true).open(&part).await.map_err(failed)?;
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
    let mut bytes = reader.into_bytes().take(count);
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = have;
    while at < of {
        let read = tokio::time::timeout(SILENCE, bytes.read(&mut piece)).await;
        let Ok(Ok(read @ 1..)) = read else { break };
        file.write_all(&piece[..read]).await.map_err(failed)?;
        at += read as u64;
    }
    file.sync_all().await.map_err(failed)?;
    if at < of {
        return Err(FetchError::Cut { at, of });
    }
    fs::rename(&part, to).await.map_err(failed)
}

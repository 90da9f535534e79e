//! Joining: a new machine proves by a token that it is meant, and is given a certificate.

use std::path::Path;

use thiserror::Error;
use toehold_core::model::MachineName;
use toehold_core::wire::call::{Answer, Call, Join, JoinToken, Joined};
use toehold_host::durable::DurableError;
use toehold_host::link::{self, LinkError};
use toehold_host::lock::{FolderLock, LockError};
use toehold_host::tls::pinned_connector;

use crate::dial::{DialError, dial};
use crate::identity::{Identity, Key};

/// Why a machine did not join.
#[derive(Debug, Error)]
pub enum JoinError {
    /// An agent has the folder.
    #[error("an agent runs in this folder: end it first")]
    Lock(#[from] LockError),
    /// It joined another control plane before.
    #[error(
        "this machine joined another control plane, at {control}, as {machine}: to join this one, remove {path} first"
    )]
    Joined {
        /// Whom.
        control: String,
        /// As what.
        machine: MachineName,
        /// Where that is kept.
        path: String,
    },
    /// The token is none.
    #[error("that is not a join token: `toehold machines add` and `machines token` make them")]
    NoToken,
    /// The control plane could not be spoken with.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It hung up, or spoke of something else.
    #[error("the control plane did not answer")]
    Silent(#[source] Option<LinkError>),
    /// It said no.
    #[error("the control plane does not let this machine in: {0}")]
    Refused(String),
    /// This machine has no chance to make a key from.
    #[error("no key can be made on this machine")]
    NoKey,
    /// What was given could not be kept.
    #[error("what the control plane gave cannot be kept; make another token and try again")]
    Keep(#[source] DurableError),
    /// What was kept before cannot be read.
    #[error("it cannot be told whether this machine joined before")]
    Read(#[source] DurableError),
}

/// Joins the control plane at `control` (`host:port`) with a token; what it gives is kept in the
/// agent's folder `dir`. A token is good for one machine and one time.
pub async fn join(dir: &Path, control: &str, token: &str) -> Result<Identity, JoinError> {
    let _lock = FolderLock::take(dir)?;
    let parsed = JoinToken::parse(token.trim()).ok_or(JoinError::NoToken)?;
    let before = Identity::read(dir).map_err(JoinError::Read)?;
    // The same one may have forgotten us, and ask us in again.
    if let Some(other) = before.filter(|it| it.authority_digest() != Some(parsed.authority.clone()))
    {
        let Identity { control, machine, .. } = other;
        let path = dir.join("identity").display().to_string();
        return Err(JoinError::Joined { control, machine, path });
    }
    let connector = pinned_connector(parsed.authority)
        .map_err(|why| JoinError::Dial(DialError::Identity(why)))?;
    let stream = dial(control, &connector).await?;
    let (mut reader, mut writer) = link::split::<Answer, Call>(stream);
    let key = Key::make().ok_or(JoinError::NoKey)?;
    let public_key = key.public().ok_or(JoinError::NoKey)?;
    let asked = Join { token: token.trim().to_owned(), public_key };
    let silent = |error| JoinError::Silent(Some(error));
    writer.send(&Call::Join(asked)).await.map_err(silent)?;
    let answer = tokio::time::timeout(link::ANSWER_TIMEOUT, reader.next()).await;
    match answer.map_err(|_| JoinError::Silent(None))?.map_err(silent)? {
        Some(Answer::Joined(Joined { machine, certificate, authority })) => {
            let control = control.to_owned();
            let identity = Identity { control, machine, key, certificate, authority };
            identity.write(dir).map_err(JoinError::Keep)?;
            Ok(identity)
        }
        Some(Answer::Refused { why }) => Err(JoinError::Refused(why)),
        Some(Answer::Bytes { .. }) | None => Err(JoinError::Silent(None)),
    }
}

//! What a forge tells us by webhook: first whether it is the forge, then what it says.

mod bitbucket;
mod body;
mod field;
mod forge;
mod gitea;
mod github;
mod gitlab;
mod signature;

use hyper::HeaderMap;
use sha2::{Digest, Sha256};
use thiserror::Error;
use toehold_core::model::{AppName, BranchName, CommitId};
use toehold_core::time::Timestamp;

pub use field::asks_for_no_build;
pub use forge::{Forge, ForgeError};

/// The longest body that is read, in bytes: the forges send no longer one.
pub const MAX_BODY_BYTES: usize = 25 * 1024 * 1024;

/// Why a request is not believed to come from the forge. Nothing of it is looked at further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WebhookRefusal {
    /// Nobody has set a secret, so nobody could be believed.
    #[error(
        "no webhook secret is set for this app: set one here and at the forge, then deliver again"
    )]
    NoSecret,
    /// Nobody has set a secret of this forge, and it comes from another one.
    #[error("{}", elsewhere(*forge))]
    Elsewhere {
        /// Which.
        forge: Forge,
    },
    /// There is no signature.
    #[error("the request is not signed: set the secret at the forge too")]
    Unsigned,
    /// There is a SHA-1 signature only, which does not count.
    #[error("the request is signed by SHA-1 only: SHA-256 is needed")]
    Sha1Only,
    /// The signature cannot be one.
    #[error("the signature is not as the forge makes it, or there are several")]
    Malformed,
    /// It was signed long ago, or in the future.
    #[error("it was signed more than five minutes before or after now: compare the clocks")]
    Stale,
    /// No secret fits.
    #[error("the signature fits no secret that is set for this app")]
    Mismatch,
    /// The body is longer than any forge's.
    #[error("the body is longer than {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLong,
}

impl WebhookRefusal {
    /// The HTTP status it is answered with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unsigned | Self::Sha1Only | Self::Malformed => 401,
            Self::NoSecret | Self::Elsewhere { .. } | Self::Mismatch | Self::Stale => 403,
            Self::TooLong => 413,
        }
    }
}

/// Why a delivery that comes from the forge cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// A header that every delivery has is missing or cannot be one.
    #[error("the header {header} is missing or is no {what}")]
    Header {
        /// Which.
        header: &'static str,
        /// What it should hold.
        what: &'static str,
    },
    /// Neither JSON nor a form.
    #[error("the content type {given:?} is not application/json or a form")]
    ContentType {
        /// The beginning of what was given.
        given: String,
    },
    /// The body is not what its content type says.
    #[error("the body cannot be read: {why}")]
    Body {
        /// Why.
        why: String,
    },
    /// A value is not what git or the forge allows.
    #[error("{field} of the delivery cannot be used: {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why, in words.
        why: String,
    },
    /// It comes from another forge than the address is for.
    #[error("{}", elsewhere(*forge))]
    Elsewhere {
        /// Which.
        forge: Forge,
    },
    /// The body is longer than any forge's.
    #[error("the body is longer than {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLong,
}

impl DeliveryError {
    /// The HTTP status it is answered with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Header { .. }
            | Self::Body { .. }
            | Self::Field { .. }
            | Self::Elsewhere { .. } => 400,
            Self::TooLong => 413,
            Self::ContentType { .. } => 415,
        }
    }
}

/// Whether a request is believed to come from the forge: nothing of it is looked at before. `now`
/// is compared with the time it was signed at, where a forge says that.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    forge: Forge,
    secrets: &[&str],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookRefusal> {
    // Who set up the right forge and wrote down the wrong address is told of both. This says
    // nothing that is not public: the headers are theirs.
    if secrets.is_empty()
        && forge == Forge::Github
        && let Some(forge) = github::imitated_by(headers)
    {
        return Err(WebhookRefusal::Elsewhere { forge });
    }
    match forge {
        Forge::Github => github::verify(secrets, headers, body),
        Forge::Gitlab => gitlab::verify(secrets, headers, body, now),
        Forge::Gitea | Forge::Forgejo => gitea::verify(secrets, headers, body),
        Forge::Bitbucket => bitbucket::verify(secrets, headers, body),
    }
}

fn elsewhere(forge: Forge) -> String {
    format!(
        "this is a delivery of {}: let it be delivered to /webhooks/{forge}/APP, and write \
         [apps.APP.{forge}] in server.toml",
        forge.title()
    )
}

/// Reads a delivery that [`verify`] believed.
///
/// # Errors
/// Where it is not what the forge sends; an event that does not concern us is no error.
pub fn read(forge: Forge, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, DeliveryError> {
    match forge {
        Forge::Github => github::read(headers, body),
        Forge::Gitlab => gitlab::read(headers, body),
        Forge::Gitea | Forge::Forgejo => gitea::read(forge, headers, body),
        Forge::Bitbucket => bitbucket::read(headers, body),
    }
}

/// One delivery, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The forge's id of it, the same when it is delivered again.
    pub id: String,
    /// Who sent it.
    pub forge: Forge,
    /// What it says of each ref it speaks of; one thing, most often.
    pub said: Vec<DeliveryKind>,
    /// The digest of its body, where the signature covers nothing else: the same words under
    /// another id are a replay.
    body: Option<String>,
}

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// A branch was made or moved.
    Push(Push),
    /// A branch was removed: nothing is built, what runs goes on.
    Deleted {
        /// `owner/name`.
        repository: String,
        /// Which.
        branch: BranchName,
    },
    /// A tag was made, moved or removed: nothing is built.
    Tag {
        /// `owner/name`.
        repository: String,
        /// Its name.
        name: String,
    },
    /// The forge tries out the webhook.
    Ping,
    /// Anything else, and why nothing comes of it.
    Ignored(String),
}

/// A branch was made or moved. The address to fetch from is never taken from a delivery:
/// `repository` is only compared with the configured one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// `owner/name`.
    pub repository: String,
    /// Which branch.
    pub branch: BranchName,
    /// Where it is now.
    pub commit: CommitId,
    /// Where it was; `None` where it is new.
    pub before: Option<CommitId>,
    /// Whether history was rewritten.
    pub forced: bool,
    /// The first line of the commit's message, at most 200 characters; empty where not said.
    pub subject: String,
    /// `Name <mail>` of its author, at most 200 characters; empty where not said.
    pub author: String,
    /// Whether the message asks for no build: `[skip ci]`, `[ci skip]`, `[no ci]`.
    pub skip: bool,
}

impl Push {
    /// Whether it is of the configured repository; forges take upper and lower case as the same.
    #[must_use]
    pub fn is_of(&self, repository: &str) -> bool {
        self.repository.eq_ignore_ascii_case(repository.trim_end_matches(".git"))
    }
}

impl Delivery {
    fn new(forge: Forge, id: String, said: Vec<DeliveryKind>, body: &[u8]) -> Self {
        let body = Some(hex::encode(Sha256::digest(body)));
        Self { id, forge, said, body }
    }

    /// The keys under which the `nth` thing it says is remembered, so that it is done once.
    #[must_use]
    pub fn keys(&self, app: &AppName, nth: usize) -> Vec<String> {
        let plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
        // What could not stand in a key is known by its digest.
        let id = if self.id.len() <= 100 && self.id.chars().all(plain) {
            self.id.to_ascii_lowercase()
        } else {
            hex::encode(Sha256::digest(&self.id))
        };
        let by_id = format!("delivery/{app}/{}/{id}/{nth}", self.forge);
        let by_body = self.body.as_ref().map(|it| format!("delivery/{app}/body/{it}/{nth}"));
        [by_id].into_iter().chain(by_body).collect()
    }
}

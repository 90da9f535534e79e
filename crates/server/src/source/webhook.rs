//! What a forge tells us by webhook: first whether it is the forge, then what it says.

pub mod github;
pub mod signature;

use sha2::{Digest, Sha256};
use thiserror::Error;
use toehold_core::model::{BranchName, CommitId};

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
    /// There is no signature.
    #[error("the request is not signed: set the secret at the forge too")]
    Unsigned,
    /// There is a SHA-1 signature only, which does not count.
    #[error("the request is signed by SHA-1 only: X-Hub-Signature-256 is needed")]
    Sha1Only,
    /// The signature cannot be one.
    #[error("the signature is not `sha256=` and 64 hex digits")]
    Malformed,
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
            Self::NoSecret | Self::Mismatch => 403,
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
    /// The body is longer than any forge's.
    #[error("the body is longer than {} MiB", MAX_BODY_BYTES / 1024 / 1024)]
    TooLong,
}

impl DeliveryError {
    /// The HTTP status it is answered with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Header { .. } | Self::Body { .. } | Self::Field { .. } => 400,
            Self::TooLong => 413,
            Self::ContentType { .. } => 415,
        }
    }
}

/// Which forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forge {
    /// GitHub, also on a team's own server.
    Github,
}

impl Forge {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
        }
    }
}

/// One delivery, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The forge's id of it, the same when it is delivered again.
    pub id: String,
    /// Who sent it.
    pub forge: Forge,
    /// What it says.
    pub kind: DeliveryKind,
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

    /// The key under which this very push is remembered: the same commit on the same branch is
    /// built once, also where two webhooks or a webhook and a poll tell of it.
    #[must_use]
    pub fn key(&self) -> String {
        push_key(&self.repository, &self.commit, &self.branch)
    }
}

/// The key under which a push is remembered, from wherever it was heard of.
#[must_use]
pub fn push_key(repository: &str, commit: &CommitId, branch: &BranchName) -> String {
    // None of the three can hold a line feed, so no two pushes look the same.
    let text = format!("{}\n{commit}\n{branch}", repository.to_ascii_lowercase());
    format!("pushed/{}", hex::encode(Sha256::digest(text)))
}

impl Delivery {
    /// The key under which the delivery is remembered, so that a second one does nothing.
    #[must_use]
    pub fn key(&self) -> String {
        format!("delivery/{}/{}", self.forge.as_str(), self.id)
    }
}

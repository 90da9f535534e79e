//! Artifacts: the bytes a release runs, named by what they are.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{CommitId, StepKind};
use crate::time::Timestamp;

/// A SHA-256 over bytes, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A text that is not a SHA-256 in hex.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a sha256: it has 64 lower-case hex digits")]
pub struct DigestError(String);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::{Digest as _, Sha256};
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// The digest whose 32 bytes are `raw`.
    #[must_use]
    pub fn from_raw(raw: &[u8; 32]) -> Self {
        Self(hex::encode(raw))
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, as people say it.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() == 64 && digits.bytes().all(hex) {
            Ok(Self(digits.to_owned()))
        } else {
            Err(DigestError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// What is known of an artifact; it lies beside the bytes, so that the bytes stay the same
/// whenever they are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The SHA-256 of the uncompressed archive.
    pub digest: Digest,
    /// Its size on disk, compressed, in bytes.
    pub size_bytes: u64,
    /// The commit it was made of.
    pub commit: CommitId,
    /// The SHA-256 of the configuration in force.
    pub config: Digest,
    /// What each step said: an artifact carries its verdict.
    pub verdicts: BTreeMap<StepKind, StepVerdict>,
    /// The names (never the values) of the environment's keys.
    pub env_keys: Vec<String>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What a step said, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepVerdict {
    /// Whether it let the build go on.
    pub passed: bool,
    /// `jasmine 38 passed`, `0 new · 2 fixed · 5 outstanding`, `not configured`.
    pub summary: String,
}

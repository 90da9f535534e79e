//! The key of a flag.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What an app asks for: `feature1`, `checkout/new-form`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlagKey(String);

/// A text that cannot be a flag's key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{given:?} cannot be the key of a flag: use 1 to {} of letters, digits, `.`, `_`, `/` and `-`, beginning with a letter or a digit",
    FlagKey::MAX_BYTES
)]
pub struct FlagKeyError {
    given: String,
}

impl FlagKey {
    /// The longest key, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FlagKey {
    type Err = FlagKeyError;

    fn from_str(text: &str) -> Result<Self, FlagKeyError> {
        let holds = (1..=Self::MAX_BYTES).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte));
        if holds {
            Ok(Self(text.to_owned()))
        } else {
            Err(FlagKeyError { given: text.chars().take(80).collect() })
        }
    }
}

impl TryFrom<String> for FlagKey {
    type Error = FlagKeyError;

    fn try_from(text: String) -> Result<Self, FlagKeyError> {
        text.parse()
    }
}

impl From<FlagKey> for String {
    fn from(key: FlagKey) -> String {
        key.0
    }
}

impl Borrow<str> for FlagKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FlagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Keys: where a document lies.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toehold_core::model::AppName;

/// The place of a document: parts of `a-z A-Z 0-9 . _ : -` joined by `/`, at most
/// [`Key::MAX_BYTES`] long. Keys are ordered byte by byte: write a number in a key with leading
/// zeros where its order matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// A text that cannot be a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} cannot be a key: it is parts of a-z, A-Z, 0-9, `.`, `_`, `:` and `-` joined by `/`, \
     at most 512 bytes"
)]
pub struct KeyError(String);

impl Key {
    /// The longest key, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// What the keys of appended entries begin with. No document lies there.
    pub const EVENTS: &str = "event/";

    /// Where the events of `app` are appended; `None` is all of Toehold. It is a prefix of no other
    /// app's, as `event/shop` would be of `event/shop-2`.
    #[must_use]
    pub fn events_of(app: Option<&AppName>) -> Self {
        Self(format!("{}{}/all", Self::EVENTS, app.map_or("_", AppName::as_str)))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part: `42` of `build/shop/42`.
    #[must_use]
    pub fn last_part(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether it is where entries are appended, and not a document's place.
    #[must_use]
    pub fn is_for_events(&self) -> bool {
        self.0.starts_with(Self::EVENTS)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        let holds = text.len() <= Self::MAX_BYTES
            && text.split('/').all(|part| !part.is_empty() && part.bytes().all(plain));
        if holds {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_parts_joined_by_slashes() {
        for good in ["a", "app/shop", "build/shop/42", "event/_", "a.b_c:d-E/0"] {
            assert_eq!(good.parse::<Key>().expect(good).as_str(), good);
        }
        let long = "a".repeat(Key::MAX_BYTES + 1);
        for bad in ["", "/", "a/", "/a", "a//b", "a b", "ä", "a\0", "a%", "a'", long.as_str()] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?} was allowed");
        }
    }

    #[test]
    fn events_of_no_app_have_a_key_no_app_can_have() {
        let shop: AppName = "shop".parse().expect("a name");
        assert_eq!(Key::events_of(Some(&shop)).as_str(), "event/shop/all");
        assert_eq!(Key::events_of(None).as_str(), "event/_/all");
        assert!("_".parse::<AppName>().is_err());
    }
}

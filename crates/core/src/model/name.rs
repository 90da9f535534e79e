//! Names that have been looked at: whoever holds one need not check it again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A name that cannot be used, and what one may look like.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{given:?} cannot be {what}: {rule}")]
pub struct NameError {
    given: String,
    what: &'static str,
    rule: &'static str,
}

impl NameError {
    fn new(given: &str, what: &'static str, rule: &'static str) -> Self {
        Self { given: given.chars().take(80).collect(), what, rule }
    }

    pub(crate) fn provider(given: &str) -> Self {
        Self::new(given, "a provider", "it is `local`, `ssh` or `digitalocean`")
    }

    pub(crate) fn track(given: &str) -> Self {
        Self::new(given, "a track", "it is `stable` or `canary`")
    }
}

/// A checked text: parsing and deserialising both go through the same rule.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let holds: fn(&str) -> bool = $holds;
                if holds(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError::new(text, $what, $rule))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// An app: it stands in folder names, host names and URLs.
    AppName,
    "the name of an app",
    "use 1 to 40 of a-z, 0-9 and -, beginning with a letter and not ending in -",
    |text| {
        text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }
);

checked_text!(
    /// A machine that runs instances.
    MachineName,
    "the name of a machine",
    "use 1 to 63 of a-z, 0-9, - and ., beginning with a letter or a digit",
    |text| {
        (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
    }
);

checked_text!(
    /// A commit: the 40 hex digits of SHA-1 or the 64 of SHA-256, lower case.
    CommitId,
    "a commit",
    "give all 40 (or 64) hex digits, lower case",
    |text| {
        matches!(text.len(), 40 | 64)
            && text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    }
);

impl MachineName {
    /// The machine Toehold runs on.
    #[must_use]
    pub fn local() -> Self {
        Self("local".to_owned())
    }
}

impl CommitId {
    /// The first seven digits, as people say it.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

checked_text!(
    /// A branch, as `git check-ref-format --branch` allows it.
    BranchName,
    "a branch",
    "git does not allow it (no spaces, `..`, `~^:?*[\\`, control characters, leading `-` or `/`)",
    |text| {
        let parts_hold = text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none());
        (1..=244).contains(&text.len())
            && parts_hold
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text != "@"
            && !text.contains("..")
            && !text.contains("@{")
            && !text.chars().any(|c| c.is_ascii_control() || " ~^:?*[\\".contains(c))
    }
);

/// The number of a build and of the release it becomes: one count for each app, so that `#42`
/// names the same push everywhere.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl FromStr for Number {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        digits.parse().map(Self).map_err(|_| {
            NameError::new(text, "the number of a release", "write it as `#42` or `42`")
        })
    }
}

/// One running copy of an app: `shop/web.7`. The number is never used twice in an app, so a larger
/// one is newer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InstanceId {
    app: AppName,
    ordinal: u64,
}

impl InstanceId {
    /// The `ordinal`-th instance ever made of `app`.
    #[must_use]
    pub const fn new(app: AppName, ordinal: u64) -> Self {
        Self { app, ordinal }
    }

    /// The app it is an instance of.
    #[must_use]
    pub const fn app(&self) -> &AppName {
        &self.app
    }

    /// Its number, counted from 1 over the life of the app.
    #[must_use]
    pub const fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// The name within its app: `web.7`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("web.{}", self.ordinal)
    }

    /// The name as part of a path or a cgroup: `shop.web.7`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.web.{}", self.app, self.ordinal)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/web.{}", self.app, self.ordinal)
    }
}

impl FromStr for InstanceId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new(text, "an instance", "write it as `shop/web.7`");
        let (app, rest) = text.split_once('/').ok_or_else(wrong)?;
        let ordinal = rest.strip_prefix("web.").ok_or_else(wrong)?;
        Ok(Self { app: app.parse()?, ordinal: ordinal.parse().map_err(|_| wrong())? })
    }
}

impl TryFrom<String> for InstanceId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_name_cannot_leave_its_folder() {
        for bad in ["", "..", "a/b", "a b", "-a", "a-", "A", "ä", "a;rm", "a\0", "1a"] {
            assert!(bad.parse::<AppName>().is_err(), "{bad:?} was allowed");
        }
        assert!("shop-2".parse::<AppName>().is_ok());
    }

    #[test]
    fn a_branch_is_what_git_allows() {
        for bad in
            ["", "a..b", "-x", "--upload-pack=x", "a b", "a\0b", "/a", "a/", "a//b", "x.lock"]
        {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?} was allowed");
        }
        for good in ["main", "feature/ümlaut", "$(reboot)", "release-1.2"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good:?} was refused");
        }
    }

    #[test]
    fn an_instance_is_read_as_it_is_written() {
        let id: InstanceId = "shop/web.7".parse().expect("it is an instance");
        assert_eq!(id.to_string(), "shop/web.7");
        assert_eq!((id.short(), id.file_name()), ("web.7".into(), "shop.web.7".into()));
    }
}

//! What somebody may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toehold_core::model::AppName;

/// A right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Everything.
    Admin,
    /// Look at everything but secrets.
    Read,
    /// Deploy, roll back, split and scale.
    Deploy(Apps),
    /// Raise and end alerts as another system sees them: who has it can hold a canary, and no more.
    Alert(Apps),
    /// Change flags, and read them.
    Flag(Apps),
    /// Read flags.
    Evaluate(Apps),
}

/// Which apps a right is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apps {
    /// Every app, also those to come: `*`.
    All,
    /// This one.
    One(AppName),
}

/// A text that names no right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a scope: use admin, read, deploy:APP, alert:APP, flag:APP or evaluate:APP, with * for every \
     app"
)]
pub struct ScopeError(String);

impl Apps {
    /// Whether it holds for all of `needed`.
    #[must_use]
    pub fn cover(&self, needed: &Self) -> bool {
        *self == Self::All || self == needed
    }
}

impl Scope {
    /// Whether who has this right may do what needs `needed`.
    #[must_use]
    pub fn allows(&self, needed: &Self) -> bool {
        match (self, needed) {
            (Self::Admin, _) | (Self::Read, Self::Read) => true,
            (Self::Deploy(apps), Self::Deploy(needed) | Self::Alert(needed))
            | (Self::Alert(apps), Self::Alert(needed))
            | (Self::Flag(apps), Self::Flag(needed) | Self::Evaluate(needed))
            | (Self::Evaluate(apps), Self::Evaluate(needed)) => apps.cover(needed),
            (
                Self::Read | Self::Deploy(_) | Self::Alert(_) | Self::Flag(_) | Self::Evaluate(_),
                _,
            ) => false,
        }
    }
}

/// Somebody who proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The name events show: a token's name, or a person's.
    pub name: String,
    /// What they may do.
    pub scopes: Vec<Scope>,
    /// The id of the token that proved it: what was begun with a token ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl Principal {
    /// Whether one of the scopes allows what needs `needed`.
    #[must_use]
    pub fn may(&self, needed: &Scope) -> bool {
        self.scopes.iter().any(|scope| scope.allows(needed))
    }
}

impl fmt::Display for Apps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::One(app) => app.fmt(f),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin"),
            Self::Read => f.write_str("read"),
            Self::Deploy(apps) => write!(f, "deploy:{apps}"),
            Self::Alert(apps) => write!(f, "alert:{apps}"),
            Self::Flag(apps) => write!(f, "flag:{apps}"),
            Self::Evaluate(apps) => write!(f, "evaluate:{apps}"),
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let wrong = || ScopeError(text.chars().take(80).collect());
        let Some((word, apps)) = text.split_once(':') else {
            return match text {
                "admin" => Ok(Self::Admin),
                "read" => Ok(Self::Read),
                _ => Err(wrong()),
            };
        };
        let apps = match apps {
            "*" => Apps::All,
            app => Apps::One(app.parse().map_err(|_| wrong())?),
        };
        match word {
            "deploy" => Ok(Self::Deploy(apps)),
            "alert" => Ok(Self::Alert(apps)),
            "flag" => Ok(Self::Flag(apps)),
            "evaluate" => Ok(Self::Evaluate(apps)),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().expect(text)
    }

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in
            ["admin", "read", "deploy:shop", "deploy:*", "alert:shop", "flag:shop", "evaluate:*"]
        {
            assert_eq!(scope(text).to_string(), text);
        }
        for bad in ["", "Admin", "deploy", "deploy:", "deploy:../x", "root", "read:shop"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?} was allowed");
        }
    }

    #[test]
    fn a_scope_allows_no_more_than_it_says() {
        for (has, needed, allowed) in [
            ("admin", "deploy:shop", true),
            ("deploy:*", "deploy:shop", true),
            ("deploy:shop", "deploy:shop", true),
            ("deploy:shop", "deploy:*", false),
            ("deploy:shop", "deploy:blog", false),
            ("deploy:shop", "alert:shop", true),
            ("alert:shop", "alert:shop", true),
            ("alert:shop", "deploy:shop", false),
            ("alert:shop", "alert:blog", false),
            ("flag:shop", "alert:shop", false),
            ("deploy:shop", "read", false),
            ("read", "deploy:shop", false),
            ("flag:shop", "evaluate:shop", true),
            ("evaluate:shop", "flag:shop", false),
            ("read", "admin", false),
        ] {
            assert_eq!(scope(has).allows(&scope(needed)), allowed, "{has} for {needed}");
        }
    }
}

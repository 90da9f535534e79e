//! Which forges there are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A forge: a closed set, each with a way of its own to say what was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forge {
    /// GitHub, also on a team's own server.
    Github,
    /// GitLab, also on a team's own server.
    Gitlab,
    /// Gitea.
    Gitea,
    /// Forgejo, which speaks as Gitea does.
    Forgejo,
    /// Bitbucket, in the cloud or on a team's own server (Data Center).
    Bitbucket,
}

impl Forge {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Github, Self::Gitlab, Self::Gitea, Self::Forgejo, Self::Bitbucket];

    /// The word for it, in settings, paths and keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
            Self::Forgejo => "forgejo",
            Self::Bitbucket => "bitbucket",
        }
    }

    /// Its name, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Forgejo => "Forgejo",
            Self::Bitbucket => "Bitbucket",
        }
    }

    /// How deep its repositories may lie: GitLab has groups in groups.
    #[must_use]
    pub const fn repository_parts(self) -> usize {
        match self {
            Self::Gitlab => 21,
            Self::Github | Self::Gitea | Self::Forgejo | Self::Bitbucket => 2,
        }
    }

    /// Whether this can be the name of a repository there: `owner/name`, for GitLab also
    /// `group/group/name`. It goes into addresses, so nothing is let in that means something there.
    #[must_use]
    pub fn allows_repository(self, text: &str) -> bool {
        let part = |it: &str| {
            (1..=255).contains(&it.len())
                && it.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~".contains(c))
                && !matches!(it, "." | "..")
        };
        (2..=self.repository_parts()).contains(&text.split('/').count())
            && text.split('/').all(part)
    }
}

impl fmt::Display for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no forge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no forge: use github, gitlab, gitea, forgejo or bitbucket")]
pub struct ForgeError(String);

impl FromStr for Forge {
    type Err = ForgeError;

    fn from_str(text: &str) -> Result<Self, ForgeError> {
        let found = Self::ALL.into_iter().find(|forge| forge.as_str() == text);
        found.ok_or_else(|| ForgeError(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forge_is_written_as_it_is_read() {
        for forge in Forge::ALL {
            assert_eq!(forge.as_str().parse(), Ok(forge));
        }
        assert!("GitHub".parse::<Forge>().is_err() && "".parse::<Forge>().is_err());
    }

    #[test]
    fn a_repository_is_a_path_and_nothing_else() {
        for good in ["acme/shop", "~ada/shop", "PROJ/my.shop-1"] {
            assert!(Forge::Bitbucket.allows_repository(good), "{good}");
        }
        assert!(Forge::Gitlab.allows_repository("group/team/shop"));
        for bad in ["acme", "acme/", "/shop", "a/b/c", "../shop", "a/..", "a b/c", "a/b?x", "a/%2e"]
        {
            assert!(!Forge::Github.allows_repository(bad), "{bad}");
        }
    }
}

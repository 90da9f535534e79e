//! `[apps.NAME.github]` and its like: a repository at a forge.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toehold_core::spec::duration;

use crate::source::remote::Remote;
use crate::source::webhook::Forge;

/// How often a forge is asked at most: less would be a burden on it.
const SHORTEST: Duration = Duration::from_secs(10);

/// A repository at a forge.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgeSettings {
    /// `owner/name`, as the payload says it.
    pub repository: String,
    /// Where it is cloned from; never taken from a payload.
    pub url: String,
    /// A file with a webhook secret a line; several while one is being replaced. Without it no
    /// webhook is believed, and only the poll finds what was pushed.
    pub secrets_file: Option<PathBuf>,
    /// A file whose first line is a token: to fetch by, and to tell the forge what came of a push.
    pub token_file: Option<PathBuf>,
    /// Where the forge's API is, where that does not follow from `url`.
    pub api_url: Option<String>,
    /// How often it is looked whether a webhook was lost.
    #[serde(default)]
    pub poll: Poll,
    /// GitHub: the App that reports checks.
    pub app_id: Option<u64>,
    /// GitHub: where the App is installed.
    pub installation_id: Option<u64>,
    /// GitHub: a file with the App's private key, in PEM.
    pub private_key_file: Option<PathBuf>,
}

/// How often it is looked whether a webhook was lost: `"1m"`, `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Poll(pub Option<Duration>);

impl Default for Poll {
    fn default() -> Self {
        Self(Some(Duration::from_mins(1)))
    }
}

impl TryFrom<String> for Poll {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let every = duration(&text).map_err(|why| format!("{why}; or \"off\""))?;
        if every < SHORTEST {
            return Err(format!("{text:?} is too often: at least 10s, or \"off\""));
        }
        Ok(Self(Some(every)))
    }
}

/// What a GitHub App is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubApp {
    /// Its id.
    pub app_id: u64,
    /// Where it is installed.
    pub installation_id: u64,
    /// Its private key, in PEM.
    pub private_key_file: PathBuf,
}

impl ForgeSettings {
    /// The GitHub App, where all three of its keys are set.
    #[must_use]
    pub fn github_app(&self) -> Option<GithubApp> {
        Some(GithubApp {
            app_id: self.app_id?,
            installation_id: self.installation_id?,
            private_key_file: self.private_key_file.clone()?,
        })
    }

    /// Every file it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let Self { secrets_file, token_file, private_key_file, .. } = self;
        [secrets_file, token_file, private_key_file].into_iter().flatten()
    }

    /// Says in words what cannot be used.
    pub(super) fn check(&self, forge: Forge) -> Result<(), String> {
        if !forge.allows_repository(self.repository.trim_end_matches(".git")) {
            return Err(format!("repository = {:?} is not owner/name", self.repository));
        }
        self.url.parse::<Remote>().map_err(|error| format!("url: {error}"))?;
        let of_app = [
            self.app_id.is_some(),
            self.installation_id.is_some(),
            self.private_key_file.is_some(),
        ];
        if forge != Forge::Github && of_app.contains(&true) {
            return Err(format!(
                "{} has no Apps: app_id, installation_id and private_key_file are GitHub's",
                forge.title()
            ));
        }
        if of_app.contains(&true) && of_app.contains(&false) {
            return Err(
                "a GitHub App needs all three: app_id, installation_id and private_key_file"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::settings::Settings;

    fn parse(more: &str) -> Result<Settings, String> {
        let text = format!(
            "[apps.shop.gitlab]\nrepository = \"acme/web/shop\"\nurl = \"https://x/a.git\"\n{more}"
        );
        Settings::parse(&text, Path::new("server.toml"))
            .map_err(|error| std::error::Error::source(&error).expect("it says why").to_string())
    }

    #[test]
    fn a_forge_is_looked_at_each_minute_unless_told_otherwise() {
        for (more, seconds) in
            [("", Some(60)), ("poll = \"5m\"\n", Some(300)), ("poll = \"off\"\n", None)]
        {
            let settings = parse(more).expect("it is well-formed");
            let set = settings.apps.values().next().and_then(|app| app.gitlab.clone());
            assert_eq!(set.expect("it is set").poll.0.map(|it| it.as_secs()), seconds);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (more, word) in [
            ("poll = \"1s\"\n", "at least 10s"),
            ("poll = \"soon\"\n", "is not a duration"),
            ("pol = \"1m\"\n", "pol"),
            ("app_id = 7\n", "GitHub's"),
        ] {
            let why = parse(more).expect_err(more);
            assert!(why.contains(word), "{more}: {why}");
        }
        let github = |more: &str| {
            let text = format!("[apps.shop.github]\nurl = \"https://x/a\"\n{more}");
            let error = Settings::parse(&text, Path::new("server.toml")).expect_err(more);
            std::error::Error::source(&error).expect("it says why").to_string()
        };
        assert!(github("repository = \"shop\"\n").contains("is not owner/name"));
        let half = github("repository = \"a/b\"\napp_id = 7\n");
        assert!(half.contains("[apps.shop.github]") && half.contains("all three"), "{half}");
    }
}

//! `server.toml`: where, while `toehold.toml` says what. Nothing in it is required.

mod forge;
mod machines;
mod proxy;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toehold_core::model::AppName;

use crate::source::webhook::Forge;
use crate::{acme, alertmanager, mirror, notify};

pub use forge::{ForgeSettings, GithubApp, Poll};
pub use machines::{Deadline, Idle, MachineSettings};
pub use proxy::{Drain, LogFormat, ProxySettings};

/// Where the proxy listens unless told otherwise.
pub const PROXY_ADDR: &str = "127.0.0.1:8080";

/// Where API and dashboard listen unless told otherwise.
pub const API_ADDR: &str = "127.0.0.1:7077";

/// Why `server.toml` cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// It is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be understood.
    #[error("{} does not say what it should", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What, with line and column.
        source: Box<toml::de::Error>,
    },
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Raw {
    listen: SocketAddr,
    listen_tls: Option<SocketAddr>,
    api: SocketAddr,
    public_url: Option<String>,
    mail: Option<notify::MailSettings>,
    webhook: Option<notify::WebhookSettings>,
    slack: Option<notify::ChatSettings>,
    discord: Option<notify::ChatSettings>,
    teams: Option<notify::ChatSettings>,
    ntfy: Option<notify::NtfySettings>,
    dashboard_url: Option<String>,
    alertmanager: Option<alertmanager::Settings>,
    redis: Option<mirror::Settings>,
    acme: Option<acme::Settings>,
    proxy: ProxySettings,
    keep: Keep,
    machines: MachineSettings,
    apps: BTreeMap<AppName, AppSettings>,
}

impl Default for Raw {
    fn default() -> Self {
        let fixed = |text: &str| text.parse().expect("the address stands in this file");
        Self {
            listen: fixed(PROXY_ADDR),
            listen_tls: None,
            api: fixed(API_ADDR),
            public_url: None,
            mail: None,
            webhook: None,
            slack: None,
            discord: None,
            teams: None,
            ntfy: None,
            dashboard_url: None,
            alertmanager: None,
            redis: None,
            acme: None,
            proxy: ProxySettings::default(),
            keep: Keep::default(),
            machines: MachineSettings::default(),
            apps: BTreeMap::new(),
        }
    }
}

impl From<Raw> for Settings {
    fn from(raw: Raw) -> Self {
        let Raw { listen, api, public_url, mail, webhook, keep, machines, apps, .. } = raw;
        let listen_tls = raw.listen_tls;
        let Raw { slack, discord, teams, ntfy, dashboard_url, .. } = raw;
        let messages =
            notify::Settings { mail, webhook, slack, discord, teams, ntfy, dashboard_url };
        let (alertmanager, redis, acme, proxy) = (raw.alertmanager, raw.redis, raw.acme, raw.proxy);
        Self {
            listen,
            listen_tls,
            api,
            public_url,
            messages,
            alertmanager,
            redis,
            acme,
            proxy,
            keep,
            machines,
            apps,
        }
    }
}

/// What an operator may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Raw")]
pub struct Settings {
    /// Where the proxy listens.
    pub listen: SocketAddr,
    /// Where it speaks TLS; nowhere where absent.
    pub listen_tls: Option<SocketAddr>,
    /// Where API and dashboard listen.
    pub api: SocketAddr,
    /// How apps are reached from outside, where that is not by `listen`: `https://example.com`.
    pub public_url: Option<String>,
    /// By which channels people are told: `[mail]`, `[webhook]`, `[slack]`, `[discord]`,
    /// `[teams]`, `[ntfy]`; and `dashboard_url`, which the links in messages begin with.
    pub messages: notify::Settings,
    /// Whom our alerts are told to.
    pub alertmanager: Option<alertmanager::Settings>,
    /// The Redis that flags are mirrored into.
    pub redis: Option<mirror::Settings>,
    /// The CA that is asked for certificates.
    pub acme: Option<acme::Settings>,
    /// What is set for the proxy.
    pub proxy: ProxySettings,
    /// What is kept of the past.
    pub keep: Keep,
    /// Machines other than the one Toehold runs on.
    pub machines: MachineSettings,
    /// What is set for single apps.
    pub apps: BTreeMap<AppName, AppSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Raw::default().into()
    }
}

/// What is kept of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// At most so many artifacts beside those in use.
    pub artifacts: usize,
    /// At most so many bytes of artifacts beside those in use.
    pub artifact_bytes: u64,
    /// Builds and their logs, by app.
    pub builds: usize,
}

impl Default for Keep {
    fn default() -> Self {
        Self { artifacts: 20, artifact_bytes: 10 * 1024 * 1024 * 1024, builds: 200 }
    }
}

/// What is set for one app.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppSettings {
    /// The GitHub repository it is built from, beside pushes to Toehold.
    pub github: Option<ForgeSettings>,
    /// The same at GitLab.
    pub gitlab: Option<ForgeSettings>,
    /// The same at a Gitea.
    pub gitea: Option<ForgeSettings>,
    /// The same at a Forgejo.
    pub forgejo: Option<ForgeSettings>,
    /// The same at Bitbucket, in the cloud or Data Center.
    pub bitbucket: Option<ForgeSettings>,
}

impl AppSettings {
    /// What is set for a forge.
    #[must_use]
    pub const fn of(&self, forge: Forge) -> Option<&ForgeSettings> {
        match forge {
            Forge::Github => self.github.as_ref(),
            Forge::Gitlab => self.gitlab.as_ref(),
            Forge::Gitea => self.gitea.as_ref(),
            Forge::Forgejo => self.forgejo.as_ref(),
            Forge::Bitbucket => self.bitbucket.as_ref(),
        }
    }

    /// Every forge it is built from.
    pub fn forges(&self) -> impl Iterator<Item = (Forge, &ForgeSettings)> {
        Forge::ALL.into_iter().filter_map(|forge| self.of(forge).map(|set| (forge, set)))
    }

    fn forges_mut(&mut self) -> impl Iterator<Item = &mut ForgeSettings> {
        let Self { github, gitlab, gitea, forgejo, bitbucket } = self;
        [github, gitlab, gitea, forgejo, bitbucket].into_iter().flatten()
    }
}

impl Settings {
    /// Reads `path`; what is not there has its default. Files it names without a leading `/` lie
    /// beside it, wherever Toehold was started.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                Ok(Self::parse(&text, path)?.beside(path.parent().unwrap_or(Path::new("/"))))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::Read { path: path.to_owned(), source }),
        }
    }

    fn beside(mut self, folder: &Path) -> Self {
        let place = |file: &mut PathBuf| *file = folder.join(&*file);
        self.messages.files().for_each(place);
        let told = self.alertmanager.iter_mut();
        told.flat_map(|it| [&mut it.token_file, &mut it.ca_file]).flatten().for_each(place);
        self.redis.iter_mut().flat_map(mirror::Settings::files).for_each(place);
        self.acme.iter_mut().flat_map(acme::Settings::files).for_each(place);
        self.proxy.access_log.iter_mut().for_each(place);
        for forge in self.apps.values_mut().flat_map(AppSettings::forges_mut) {
            forge.files().for_each(place);
        }
        self.machines.digitalocean.iter_mut().for_each(|it| place(&mut it.token_file));
        self
    }

    fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let wrong =
            |source| SettingsError::Parse { path: path.to_owned(), source: Box::new(source) };
        let settings: Self = toml::from_str(text).map_err(wrong)?;
        if let Some(acme) = &settings.acme {
            acme.check().map_err(|why| wrong(serde::de::Error::custom(why)))?;
        }
        for (app, set) in &settings.apps {
            for (forge, set) in set.forges() {
                set.check(forge).map_err(|why| {
                    wrong(serde::de::Error::custom(format!("[apps.{app}.{forge}]: {why}")))
                })?;
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_its_default() {
        let settings = Settings::parse("[keep]\nartifacts = 3\n", Path::new("server.toml"))
            .expect("it is well-formed");
        assert_eq!(settings.keep.artifacts, 3);
        assert_eq!(settings.api.to_string(), API_ADDR);
    }

    #[test]
    fn files_lie_beside_the_settings_unless_they_say_where() {
        let text = "[apps.shop.github]\nrepository = \"a/b\"\nurl = \"https://x/a\"\nsecrets_file = \"s\"\n\
                    [webhook]\nurl = \"https://x\"\nsecret_file = \"/etc/s\"\n";
        let settings = Settings::parse(text, Path::new("server.toml")).expect("it is well-formed");
        let settings = settings.beside(Path::new("/var/lib/toehold"));
        let github = settings.apps.values().next().and_then(|app| app.github.clone());
        let file = github.expect("it is set").secrets_file;
        assert_eq!(file.as_deref(), Some(Path::new("/var/lib/toehold/s")));
        let file = settings.messages.webhook.expect("it is set").secret_file;
        assert_eq!(file.as_deref(), Some(Path::new("/etc/s")));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = Settings::parse("listn = 1\n", Path::new("server.toml")).expect_err("a typo");
        let source = std::error::Error::source(&error).expect("toml says where").to_string();
        assert!(source.contains("listn") && source.contains("line 1"), "{source}");
    }

    #[test]
    fn certificates_are_asked_for_by_who_agrees_to_the_terms() {
        let parse = |text: &str| Settings::parse(text, Path::new("server.toml"));
        let error = parse("[acme]\nemail = \"ops@example.com\"\n").expect_err("nobody agreed");
        let source = std::error::Error::source(&error).expect("it says why").to_string();
        assert!(source.contains("say `agree_to_terms = true`"), "{source}");
        let text =
            "[acme]\nagree_to_terms = true\nca_file = \"ca.pem\"\nchallenge = \"tls-alpn-01\"\n";
        let settings = parse(text).expect("it is well-formed").beside(Path::new("/etc/toehold"));
        let file = settings.acme.expect("it is set").ca_file;
        assert_eq!(file.as_deref(), Some(Path::new("/etc/toehold/ca.pem")));
        assert!(Settings::default().acme.is_none());
    }
}

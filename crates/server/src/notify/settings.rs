//! Where letters go: `[mail]`, `[webhook]`, `[slack]`, `[discord]`, `[teams]` and `[ntfy]` of
//! server.toml.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::notify::Channel;
use crate::secret::Secret;

/// The channels that are configured.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[mail]`.
    pub mail: Option<MailSettings>,
    /// `[webhook]`.
    pub webhook: Option<WebhookSettings>,
    /// `[slack]`.
    pub slack: Option<ChatSettings>,
    /// `[discord]`.
    pub discord: Option<ChatSettings>,
    /// `[teams]`.
    pub teams: Option<ChatSettings>,
    /// `[ntfy]`.
    pub ntfy: Option<NtfySettings>,
    /// `dashboard_url`: what links in letters begin with; without it none are written.
    pub dashboard_url: Option<String>,
}

impl Settings {
    /// The channels a letter can be written to.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        let is_set = |channel: &Channel| match channel {
            Channel::Mail => self.mail.is_some(),
            Channel::Webhook => self.webhook.is_some(),
            Channel::Slack => self.slack.is_some(),
            Channel::Discord => self.discord.is_some(),
            Channel::Teams => self.teams.is_some(),
            Channel::Ntfy => self.ntfy.is_some(),
        };
        Channel::ALL.into_iter().filter(is_set).collect()
    }

    /// The files they name.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let mail = self.mail.iter_mut().flat_map(|it| [&mut it.password_file, &mut it.ca_file]);
        let webhook = self.webhook.iter_mut().flat_map(|it| [&mut it.secret_file, &mut it.ca_file]);
        let chats = [&mut self.slack, &mut self.discord, &mut self.teams];
        let chats = chats.into_iter().flatten().flat_map(|it| [&mut it.url_file, &mut it.ca_file]);
        let ntfy = self.ntfy.iter_mut().flat_map(|it| [&mut it.token_file, &mut it.ca_file]);
        mail.chain(webhook).chain(chats).chain(ntfy).flatten()
    }
}

/// `[mail]`: a server that takes our mail.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The server's name, as its certificate says it.
    pub host: String,
    /// Its port; 587 with STARTTLS, 465 with TLS and 25 without where absent.
    pub port: Option<u16>,
    /// How the way there is kept secret.
    #[serde(default)]
    pub security: Security,
    /// Who logs in; nobody where absent.
    pub username: Option<String>,
    /// The password, unless it is in a file.
    pub password: Option<Secret>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Whom it is from: `toehold@example.com` or `Toehold <toehold@example.com>`.
    pub from: String,
    /// Whom it is to.
    pub to: Vec<String>,
    /// A PEM file of the only authorities that may vouch for the server; those of the system where
    /// absent.
    pub ca_file: Option<PathBuf>,
}

/// How the way to the mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS after STARTTLS; a server that does not offer it gets nothing.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all; a password is then sent to this machine only.
    Plain,
}

impl Security {
    /// The port that is usual for it.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::Plain => 25,
        }
    }
}

/// `[webhook]`: an address that is told by `POST`, signed as Standard Webhooks has it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// `https://…` or `http://…`.
    pub url: String,
    /// The key of the signature: `whsec_` and base64, or any text. One of this and `secret_file`
    /// must be there.
    pub secret: Option<Secret>,
    /// The file whose first line is the key.
    pub secret_file: Option<PathBuf>,
    /// A PEM file of the only authorities that may vouch for the receiver; those of the system
    /// where absent.
    pub ca_file: Option<PathBuf>,
    /// Whether it may lead into a private network.
    #[serde(default)]
    pub allow_private: bool,
}

/// `[slack]`, `[discord]` and `[teams]`: an address that whoever knows it may write to.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSettings {
    /// The address. One of this and `url_file` must be there.
    pub url: Option<Secret>,
    /// The file whose first line is the address.
    pub url_file: Option<PathBuf>,
    /// A PEM file of the only authorities that may vouch for the receiver.
    pub ca_file: Option<PathBuf>,
    /// Whether it may lead into a private network.
    #[serde(default)]
    pub allow_private: bool,
}

/// `[ntfy]`: a topic of a server of ntfy.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NtfySettings {
    /// The server; ntfy.sh where absent.
    #[serde(default = "NtfySettings::public_server")]
    pub server: String,
    /// The topic. On a server without users, whoever knows it may read it.
    pub topic: Secret,
    /// The access token, unless it is in a file; none where the topic is open.
    pub token: Option<Secret>,
    /// The file whose first line is the access token.
    pub token_file: Option<PathBuf>,
    /// A PEM file of the only authorities that may vouch for the server.
    pub ca_file: Option<PathBuf>,
    /// Whether it may lead into a private network.
    #[serde(default)]
    pub allow_private: bool,
}

impl NtfySettings {
    fn public_server() -> String {
        "https://ntfy.sh".to_owned()
    }
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A value makes no sense.
    #[error("server.toml: {field} = {given:?} cannot be used: {why}")]
    Value {
        /// Its place: `mail.from`.
        field: &'static str,
        /// What is there.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something is not there.
    #[error("server.toml: {field} is missing: {why}")]
    Missing {
        /// Its place.
        field: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// A file it names cannot be read.
    #[error("server.toml: {field} names {path}, which cannot be read")]
    File {
        /// Its place.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SettingsError {
    pub(super) fn value(field: &'static str, given: &str, why: &str) -> Self {
        Self::Value { field, given: given.to_owned(), why: why.to_owned() }
    }
}

/// A secret that is there itself, or in a file, or not at all.
pub(super) fn secret_of(
    field: &'static str,
    text: Option<&Secret>,
    file: Option<&PathBuf>,
) -> Result<Option<Secret>, SettingsError> {
    let Some(path) = file else { return Ok(text.cloned()) };
    if text.is_some() {
        return Err(SettingsError::value(field, &path.to_string_lossy(), "it is given twice"));
    }
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::File {
        field,
        path: path.clone(),
        source,
    })?;
    Ok(Some(Secret::new(text.lines().next().unwrap_or_default())))
}

/// The text of a PEM file.
pub(super) fn pem_of(
    field: &'static str,
    file: Option<&PathBuf>,
) -> Result<Option<Vec<u8>>, SettingsError> {
    let Some(path) = file else { return Ok(None) };
    std::fs::read(path).map(Some).map_err(|source| SettingsError::File {
        field,
        path: path.clone(),
        source,
    })
}

//! Delivery to where people talk: Slack, Discord, Microsoft Teams and ntfy. Each has its own shape
//! and its own limits; nothing that came from outside is markup there.

mod discord;
mod ntfy;
mod slack;
mod teams;
#[cfg(test)]
mod tests;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use toehold_core::model::EventKind;

use crate::notify::links::Ways;
use crate::notify::outbox::{Undelivered, Waiting};
use crate::notify::settings::{pem_of, secret_of};
use crate::notify::taken::taken;
use crate::notify::{Channel, ChatSettings, NtfySettings, SettingsError};
use crate::outbound::Target;
use crate::secret::Secret;

/// What a chat answers that will take a message as little at the next try: each of them reads what
/// it is sent before it answers, and says so where the message is not as it should be.
const UNREADABLE: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];

/// A channel of one of them.
pub(super) struct Chat {
    channel: Channel,
    target: Target,
    /// The topic, for ntfy.
    topic: Option<Secret>,
    token: Option<HeaderValue>,
}

impl Chat {
    /// Slack, Discord or Teams: an address that whoever knows it may write to.
    pub(super) fn new(channel: Channel, settings: &ChatSettings) -> Result<Self, SettingsError> {
        let (field, ca_field) = match channel {
            Channel::Slack => ("slack.url", "slack.ca_file"),
            Channel::Discord => ("discord.url", "discord.ca_file"),
            _ => ("teams.url", "teams.ca_file"),
        };
        let url = secret_of(field, settings.url.as_ref(), settings.url_file.as_ref())?;
        let Some(url) = url.filter(|url| !url.reveal().trim().is_empty()) else {
            let why = "the address of the channel's incoming webhook";
            return Err(SettingsError::Missing { field, why });
        };
        let pem = pem_of(ca_field, settings.ca_file.as_ref())?;
        let target = Target::new(url.reveal(), pem.as_deref(), settings.allow_private)
            .map_err(|why| SettingsError::value(field, "***", &why))?;
        Ok(Self { channel, target, topic: None, token: None })
    }

    /// A topic of ntfy.
    pub(super) fn ntfy(settings: &NtfySettings) -> Result<Self, SettingsError> {
        let pem = pem_of("ntfy.ca_file", settings.ca_file.as_ref())?;
        let target = Target::new(&settings.server, pem.as_deref(), settings.allow_private)
            .map_err(|why| SettingsError::value("ntfy.server", &settings.server, &why))?;
        let topic = settings.topic.reveal();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if topic.is_empty() || topic.len() > 64 || !topic.chars().all(plain) {
            let why = "a topic is 1 to 64 letters, digits, `-` and `_`";
            return Err(SettingsError::value("ntfy.topic", "***", why));
        }
        let token = secret_of("ntfy.token", settings.token.as_ref(), settings.token_file.as_ref())?;
        let token = token.map(|token| {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.reveal().trim()));
            let why = "a token is one line of letters and digits";
            bearer.map_err(|_| SettingsError::value("ntfy.token", "***", why))
        });
        let (token, topic) = (token.transpose()?, Some(settings.topic.clone()));
        Ok(Self { channel: Channel::Ntfy, target, topic, token })
    }

    pub(super) const fn channel(&self) -> Channel {
        self.channel
    }

    /// Whom the letters go to, for the event that says so: without what is secret of the address.
    pub(super) fn receivers(&self) -> String {
        self.target.host().to_owned()
    }

    pub(super) async fn deliver(&self, waiting: &Waiting, ways: &Ways) -> Result<(), Undelivered> {
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let body = self.compose(waiting, ways).to_string();
        taken(self.target.post("", headers, body).await, &UNREADABLE)
    }

    fn compose(&self, waiting: &Waiting, ways: &Ways) -> Value {
        match self.channel {
            Channel::Slack => slack::compose(waiting, ways),
            Channel::Discord => discord::compose(waiting, ways),
            Channel::Teams => teams::compose(waiting, ways),
            Channel::Ntfy | Channel::Mail | Channel::Webhook => {
                let topic = self.topic.as_ref().map_or("", Secret::reveal);
                ntfy::compose(topic, waiting, ways)
            }
        }
    }
}

/// Whether somebody should look now.
const fn is_bad(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AlertRaised
            | EventKind::BuildFailed
            | EventKind::DeployFailed
            | EventKind::RolloutHeld
            | EventKind::RolloutAborted
            | EventKind::MachineFailed
            | EventKind::MachineLost
            | EventKind::MachinesHeld
            | EventKind::CertificateExpiring
    )
}

/// The beginning of a text, cut at the end of a line where there is one, at most `most` of what
/// `measure` counts.
fn beginning(text: &str, most: usize, measure: impl Fn(&str) -> usize) -> String {
    const MORE: &str = "… the rest is on the dashboard\n";
    if measure(text) <= most {
        return text.to_owned();
    }
    let (mut kept, room) = (String::new(), most.saturating_sub(measure(MORE)));
    let mut size = 0;
    for line in text.split_inclusive('\n') {
        size += measure(line);
        if size > room {
            break;
        }
        kept.push_str(line);
    }
    kept + MORE
}

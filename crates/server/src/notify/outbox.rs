//! Letters that wait: documents under `outbox/`, each for one channel.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toehold_core::time::Timestamp;

use crate::notify::Letter;
use crate::secret::random_id;
use crate::store::{Key, Write};

/// A way to tell people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    Mail,
    /// By a signed `POST`.
    Webhook,
    /// To a channel of Slack.
    Slack,
    /// To a channel of Discord.
    Discord,
    /// To a channel of Microsoft Teams.
    Teams,
    /// To a topic of ntfy.
    Ntfy,
}

/// A text that names no channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a channel: use mail, webhook, slack, discord, teams or ntfy")]
pub struct ChannelError(String);

impl Channel {
    /// Every channel there is.
    pub const ALL: [Self; 6] =
        [Self::Mail, Self::Webhook, Self::Slack, Self::Discord, Self::Teams, Self::Ntfy];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Ntfy => "ntfy",
        }
    }

    /// What the keys of its waiting letters begin with.
    pub(super) fn prefix(self) -> String {
        format!("outbox/{self}/")
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, ChannelError> {
        let found = Self::ALL.into_iter().find(|channel| channel.as_str() == text);
        found.ok_or_else(|| ChannelError(text.chars().take(80).collect()))
    }
}

/// A letter that waits for its channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// Never changes and is sent along: who gets a letter twice can tell by it.
    pub(super) id: String,
    pub(super) letter: Letter,
    pub(super) created_at: Timestamp,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// When it is tried next.
    pub(super) next_at: Timestamp,
    /// Why the last try failed.
    pub(super) last_error: Option<String>,
    /// By mail: who has it already. They do not get it again when the others do.
    #[serde(default)]
    pub(super) reached: BTreeSet<String>,
    /// By mail: who will never take it, and why.
    #[serde(default)]
    pub(super) refused: BTreeMap<String, String>,
}

/// Why a letter was not taken.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// The receiver cannot be reached or does not know us: every letter would fare alike.
    Away(String),
    /// The receiver asks to be left alone for so long.
    Busy(Duration, String),
    /// This letter was not taken now.
    Later(String),
    /// This letter will never be taken.
    Never(String),
}

/// How far a letter has come that nothing stands in the way of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// To everybody who takes it.
    Whole,
    /// One more has it, or will never take it, and others are still to be asked: what is known of
    /// it is written down first.
    Partly,
}

/// What to write, in the same transaction as the event it tells of, so that `letter` is delivered
/// to each of `channels`.
///
/// # Panics
/// Never: an id of hex digits can always stand in a key.
#[must_use]
pub fn outbox_write(letter: &Letter, channels: &[Channel]) -> Vec<Write> {
    let write = |channel: &Channel| {
        let (key, waiting) = waiting(letter.clone(), *channel);
        Write::put(key, &waiting)
    };
    channels.iter().map(write).collect()
}

/// A letter as it waits, and where.
pub(super) fn waiting(letter: Letter, channel: Channel) -> (Key, Waiting) {
    // In the order of their time, for who looks in; nothing depends on it.
    let id = format!("{:013}-{}", letter.at.as_ms(), random_id());
    let key = format!("{}{id}", channel.prefix()).parse().expect("digits and a dash are a key");
    let at = letter.at;
    let (attempts, last_error) = (0, None);
    let (reached, refused) = Default::default();
    let waiting =
        Waiting { id, letter, created_at: at, attempts, next_at: at, last_error, reached, refused };
    (key, waiting)
}

//! Links that do what a letter offers. They are made when it is sent, and the same each time: what
//! lies in the store proves nothing.

use std::time::Duration;

use toehold_core::time::Timestamp;

use crate::notify::outbox::Waiting;
use crate::notify::{Channel, SettingsError};
use crate::secret::{Keys, Ticket};

/// How long a link is good, from the moment of what the letter tells.
const LASTS: Duration = Duration::from_hours(24);

/// The least time a link must still be good to be worth writing.
const WORTH: Duration = Duration::from_mins(10);

/// A link of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// What it does, for programs: `roll_back`.
    pub(super) deed: &'static str,
    /// What a button says.
    pub(super) text: String,
    /// Where it leads.
    pub(super) url: String,
}

/// Where a letter leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ways {
    /// What its links do.
    pub(super) links: Vec<Link>,
    /// The app's page.
    pub(super) page: Option<String>,
}

/// What links are written with.
#[derive(Clone, Debug)]
pub(super) struct Links {
    base: String,
    keys: Keys,
}

impl Links {
    /// Links that begin with `base`: `https://toehold.example.com`.
    pub(super) fn new(base: &str, keys: Keys) -> Result<Self, SettingsError> {
        let base = base.trim().trim_end_matches('/');
        let host = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        let plain = |c: char| c.is_ascii_graphic() && !"\"<>\\?#@".contains(c);
        if !host.is_some_and(|host| !host.is_empty() && host.chars().all(plain)) {
            let why = "write it as https://toehold.example.com";
            return Err(SettingsError::value("dashboard_url", base, why));
        }
        Ok(Self { base: base.to_owned(), keys })
    }

    /// Where a letter leads.
    pub(super) fn of(&self, waiting: &Waiting, channel: Channel, now: Timestamp) -> Ways {
        let app = waiting.letter.app.as_ref();
        let page = app.map(|app| format!("{}/apps/{app}", self.base));
        Ways { links: self.links(waiting, channel, now), page }
    }

    fn links(&self, waiting: &Waiting, channel: Channel, now: Timestamp) -> Vec<Link> {
        let expires_at = waiting.created_at.plus(LASTS);
        let (letter, worth) = (&waiting.letter, now.plus(WORTH) < expires_at);
        let Some(app) = letter.app.as_ref().filter(|_| worth) else { return Vec::new() };
        let link = |(nth, offer): (usize, &toehold_core::offer::Offer)| {
            let ticket = Ticket {
                id: format!("{}.{nth}", waiting.id),
                via: channel.to_string(),
                app: app.clone(),
                offer: offer.clone(),
                expires_at,
            };
            let url = format!("{}/act/{}", self.base, self.keys.seal(&ticket));
            Link { deed: offer.as_str(), text: offer.label(), url }
        };
        letter.offers.iter().enumerate().map(link).collect()
    }
}

//! What people are told, and how: one function a kind, no IO.

mod alert;
mod build;
mod certificate;
mod machine;
mod release;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toehold_core::model::{AppName, EventKind, Subject};
use toehold_core::offer::Offer;
use toehold_core::time::Timestamp;

use crate::notify::layout::{Page, cut, one_line};

/// The longest headline, in characters.
const HEADLINE: usize = 140;

/// Something people should know, composed: the same for every channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// What kind of thing happened.
    pub kind: EventKind,
    /// The app; `None` for what concerns all of Toehold.
    pub app: Option<AppName>,
    /// What it is about.
    pub about: Subject,
    /// When it happened.
    pub at: Timestamp,
    /// One line that reads alone, without control characters: the subject of the mail.
    pub headline: String,
    /// Plain text, its lines ended by a line feed.
    pub body: String,
    /// The numbers behind it, a JSON object.
    pub facts: Value,
    /// What its links do, where links can be written.
    #[serde(default)]
    pub offers: Vec<Offer>,
}

impl Letter {
    /// Nothing happened: somebody tries whether letters arrive.
    #[must_use]
    pub fn test(by: &str, at: Timestamp) -> Self {
        let by = one_line(by);
        Self {
            kind: EventKind::MessageSent,
            app: None,
            about: Subject::Toehold,
            at,
            headline: "[toehold] a test: letters arrive".to_owned(),
            body: Page::default().prose(&format!("{by} tried whether letters arrive.")).finish(),
            facts: json!({ "by": by }),
            offers: Vec::new(),
        }
    }
}

impl Letter {
    /// With what its links do.
    #[must_use]
    pub fn offering(mut self, offers: impl IntoIterator<Item = Offer>) -> Self {
        self.offers.extend(offers);
        self
    }
}

fn headline(app: &AppName, text: &str) -> String {
    cut(&format!("[{app}] {}", one_line(text)), HEADLINE)
}

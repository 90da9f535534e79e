//! Letters about certificates: one that ends soon and could not be renewed, or has ended.

use toehold_core::model::Event;

use crate::notify::layout::{Page, cut, one_line};
use crate::notify::letter::{HEADLINE, Letter};

impl Letter {
    /// A certificate ends soon, or has ended: `event` says it, with all that is known.
    #[must_use]
    pub fn certificate(event: &Event) -> Self {
        let of = event.app.as_ref().map_or("toehold", |app| app.as_str());
        let fact = |name: &str| event.facts[name].as_str().unwrap_or_default().to_owned();
        let page =
            Page::default().prose(&format!("{}.", event.text.trim_end_matches('.'))).table(&[
                ("Host", fact("host")),
                ("Look", "toehold doctor".to_owned()),
                ("Each try", "toehold events".to_owned()),
            ]);
        // What the CA said stands in the body.
        let short = event.text.split(". ").next().unwrap_or_default();
        Self {
            kind: event.kind,
            app: event.app.clone(),
            about: event.subject.clone(),
            at: event.at,
            headline: cut(&format!("[{of}] {}", one_line(short)), HEADLINE),
            body: page.finish(),
            facts: event.facts.clone(),
            offers: Vec::new(),
        }
    }
}

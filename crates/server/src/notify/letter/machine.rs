//! Letters about machines: lost, failed, or none to be had.

use toehold_core::model::{Event, Subject};

use crate::notify::layout::{Page, cut, one_line};
use crate::notify::letter::{HEADLINE, Letter};

impl Letter {
    /// A machine was lost or failed, or something stands in the way of machines: `event` says it.
    #[must_use]
    pub fn machine(event: &Event) -> Self {
        let of = event.app.as_ref().map_or("toehold", |app| app.as_str());
        let about = match &event.subject {
            Subject::Machine(name) => name.to_string(),
            _ => String::new(),
        };
        let page = Page::default().prose(&format!("{}.", event.text)).table(&[
            ("Machine", about),
            ("Look", "toehold machines ls".to_owned()),
            ("What happened before", "toehold events".to_owned()),
        ]);
        Self {
            kind: event.kind,
            app: event.app.clone(),
            about: event.subject.clone(),
            at: event.at,
            headline: cut(&format!("[{of}] {}", one_line(&event.text)), HEADLINE),
            body: page.finish(),
            facts: event.facts.clone(),
            offers: Vec::new(),
        }
    }
}

//! ntfy: a message of a topic, as JSON, with buttons.

use serde_json::{Value, json};

use super::{beginning, is_bad};
use crate::notify::layout::cut;
use crate::notify::links::Ways;
use crate::notify::outbox::Waiting;

/// The longest message, in bytes: a longer one becomes an attachment nobody opens on a phone.
const MESSAGE: usize = 4_000;

/// How many buttons a message has.
const BUTTONS: usize = 3;

pub(super) fn compose(topic: &str, waiting: &Waiting, ways: &Ways) -> Value {
    let letter = &waiting.letter;
    let bad = is_bad(letter.kind);
    let actions: Vec<Value> = ways
        .links
        .iter()
        .take(BUTTONS)
        .map(|link| json!({ "action": "view", "label": link.text, "url": link.url, "clear": true }))
        .collect();
    let mut message = json!({
        "topic": topic,
        "title": cut(&letter.headline, 140),
        "message": beginning(&letter.body, MESSAGE, str::len),
        "priority": if bad { 4 } else { 3 },
        "tags": [if bad { "warning" } else { "information_source" }],
        "actions": actions,
    });
    if let Some(page) = &ways.page {
        message["click"] = json!(page);
    }
    message
}

//! Microsoft Teams: an adaptive card, as a workflow's webhook takes it.

use serde_json::{Value, json};

use super::{beginning, is_bad};
use crate::notify::layout::cut;
use crate::notify::links::Ways;
use crate::notify::outbox::Waiting;

/// The longest body, in bytes: a message has at most 28 KiB, and JSON makes it longer.
const BODY: usize = 14 * 1024;

/// How many buttons a card has.
const BUTTONS: usize = 6;

pub(super) fn compose(waiting: &Waiting, ways: &Ways) -> Value {
    let letter = &waiting.letter;
    let color = if is_bad(letter.kind) { "Attention" } else { "Default" };
    let links = ways.links.iter().take(BUTTONS - 1).map(|link| open(&link.text, &link.url));
    let actions: Vec<Value> =
        links.chain(ways.page.iter().map(|page| open("Dashboard", page))).collect();
    let body = beginning(&letter.body, BODY, str::len);
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": [
            run(&json!({ "text": cut(&letter.headline, 200), "weight": "Bolder", "color": color })),
            run(&json!({ "text": body, "fontType": "Monospace", "size": "Small" })),
            run(&json!({ "text": waiting.id, "isSubtle": true, "size": "Small" })),
        ],
        "actions": actions,
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// Text that is never markup, unlike a `TextBlock`'s.
fn run(text: &Value) -> Value {
    let mut inline = text.clone();
    inline["type"] = json!("TextRun");
    json!({ "type": "RichTextBlock", "inlines": [inline] })
}

fn open(title: &str, url: &str) -> Value {
    json!({ "type": "Action.OpenUrl", "title": cut(title, 100), "url": url })
}

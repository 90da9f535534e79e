//! Slack's incoming webhooks: `text` for the notification, blocks for the channel.

use serde_json::{Value, json};

use crate::notify::layout::cut;
use crate::notify::links::Ways;
use crate::notify::outbox::Waiting;

/// The longest text of a section, in characters.
const SECTION: usize = 3_000;

/// How many sections a letter has at most; a message has at most 50 blocks.
const SECTIONS: usize = 9;

pub(super) fn compose(waiting: &Waiting, ways: &Ways) -> Value {
    let letter = &waiting.letter;
    let headline = escaped(&cut(&letter.headline, 120));
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(&letter.headline, 150), "emoji": false },
    })];
    blocks.extend(sections(&letter.body));
    let mut buttons: Vec<Value> =
        ways.links.iter().take(8).map(|link| button(&link.text, &link.url)).collect();
    buttons.extend(ways.page.iter().map(|page| button("Dashboard", page)));
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    let id = json!({ "type": "plain_text", "text": waiting.id, "emoji": false });
    blocks.push(json!({ "type": "context", "elements": [id] }));
    json!({ "text": headline, "blocks": blocks })
}

fn button(text: &str, url: &str) -> Value {
    let text = json!({ "type": "plain_text", "text": cut(text, 75), "emoji": false });
    json!({ "type": "button", "text": text, "url": url })
}

/// The body as it is, in as many sections as it takes.
fn sections(body: &str) -> Vec<Value> {
    const FENCE: &str = "```";
    let room = SECTION - 2 * FENCE.len() - 2;
    let mut texts = vec![String::new()];
    for line in escaped(body).replace(FENCE, "'''").lines() {
        let line = cut(line, room - 1);
        let full = texts.last().map_or(0, |text| text.chars().count());
        if full + line.chars().count() + 1 > room {
            texts.push(String::new());
        }
        if let Some(text) = texts.last_mut() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if texts.len() > SECTIONS {
        texts.truncate(SECTIONS);
        texts.push("… the rest is on the dashboard\n".to_owned());
    }
    texts
        .into_iter()
        .filter(|text| !text.trim().is_empty())
        .map(|text| {
            let text = format!("{FENCE}\n{text}{FENCE}");
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
        })
        .collect()
}

/// The three characters that mean something to Slack: with them, nobody can be called.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

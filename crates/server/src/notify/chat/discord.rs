//! Discord's webhooks: a line for the notification, and an embed.

use serde_json::{Value, json};

use super::{beginning, is_bad};
use crate::notify::layout::cut;
use crate::notify::links::Ways;
use crate::notify::outbox::Waiting;

/// The longest description we write: an embed has at most 4096 in it and 6000 over all.
const DESCRIPTION: usize = 3_600;

/// How many links: each takes some three hundred of the 6000.
const LINKS: usize = 4;

const RED: u32 = 0x00d0_3b3b;
const BLUE: u32 = 0x003b_6bd0;

pub(super) fn compose(waiting: &Waiting, ways: &Ways) -> Value {
    let letter = &waiting.letter;
    let body = beginning(&letter.body.replace("```", "'''"), DESCRIPTION, length);
    let links = ways.links.iter().take(LINKS).map(|link| field(&link.text, &link.url));
    let page = ways.page.iter().map(|page| field("Dashboard", page));
    let fields: Vec<Value> = links.chain(page).collect();
    json!({
        "content": plain(&cut(&letter.headline, 200)),
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "description": format!("```\n{body}```"),
            "color": if is_bad(letter.kind) { RED } else { BLUE },
            "fields": fields,
            "footer": { "text": waiting.id },
        }],
    })
}

fn field(text: &str, url: &str) -> Value {
    json!({ "name": cut(text, 200), "value": format!("[open]({url})"), "inline": true })
}

/// Without markup: a branch may have any name.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\*_~`|<>[]()#".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As Discord counts.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

use serde_json::Value;
use toehold_core::model::EventKind;
use toehold_core::time::Timestamp;

use super::{discord, ntfy, slack, teams};
use crate::notify::links::{Link, Ways};
use crate::notify::outbox::{Waiting, waiting};
use crate::notify::{Channel, Letter};

const HOSTILE: &str = "build of <!channel> @everyone ```x``` [a](http://evil) *b* _c_ failed";

fn letter(body: &str) -> (Waiting, Ways) {
    let test = Letter::test("ann", Timestamp::from_ms(1_800_000_000_000));
    let letter = Letter {
        kind: EventKind::BuildFailed,
        headline: HOSTILE.repeat(2),
        body: body.to_owned(),
        ..test
    };
    let link = Link { deed: "roll_back", text: "Roll back to #41".into(), url: url(260) };
    let links = vec![link; 4];
    (waiting(letter, Channel::Slack).1, Ways { links, page: Some(url(40)) })
}

fn url(length: usize) -> String {
    format!("https://toehold.example.com/{}", "x".repeat(length))
}

/// Bodies of every size, with what is more than one byte and what is escaped.
fn bodies() -> Vec<String> {
    let lines = |count| format!("{HOSTILE} größer & <b>\n").repeat(count);
    vec![String::new(), lines(1), lines(50), lines(700), "ä<".repeat(15_000)]
}

fn count(value: &Value) -> usize {
    value.as_str().expect("a text").encode_utf16().count()
}

#[test]
fn slack_gets_no_more_than_it_takes_and_nobody_is_called() {
    for body in bodies() {
        let (waiting, ways) = letter(&body);
        let message = slack::compose(&waiting, &ways);
        let text = message.to_string();
        assert!(count(&message["text"]) <= 40_000 && !text.contains("<!channel>\""), "{text}");
        let blocks = message["blocks"].as_array().expect("blocks");
        assert!(blocks.len() <= 50);
        for block in blocks {
            match block["type"].as_str().expect("a type") {
                "header" => assert!(count(&block["text"]["text"]) <= 150),
                "section" => {
                    let text = &block["text"]["text"];
                    assert!(count(text) <= 3_000, "{}", count(text));
                    assert!(!text.as_str().expect("text").contains("<!"), "{text}");
                }
                "actions" => {
                    let buttons = block["elements"].as_array().expect("buttons");
                    assert!(buttons.len() <= 25);
                    for button in buttons {
                        assert!(count(&button["text"]["text"]) <= 75);
                        assert!(count(&button["url"]) <= 3_000);
                    }
                }
                "context" => assert_eq!(block["elements"][0]["text"], waiting.id),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn discord_gets_no_more_than_it_takes_and_nobody_is_called() {
    for body in bodies() {
        let (waiting, ways) = letter(&body);
        let message = discord::compose(&waiting, &ways);
        assert!((1..=2_000).contains(&count(&message["content"])));
        assert_eq!(message["allowed_mentions"]["parse"], serde_json::json!([]));
        let embed = &message["embeds"][0];
        let mut all = count(&embed["description"]) + count(&embed["footer"]["text"]);
        assert!(count(&embed["description"]) <= 4_096, "{}", count(&embed["description"]));
        let fields = embed["fields"].as_array().expect("fields");
        assert!(fields.len() <= 25);
        for field in fields {
            assert!(count(&field["name"]) <= 256 && count(&field["value"]) <= 1_024);
            all += count(&field["name"]) + count(&field["value"]);
        }
        assert!(all <= 6_000, "{all}");
    }
}

#[test]
fn teams_gets_no_more_than_it_takes() {
    for body in bodies() {
        let (waiting, ways) = letter(&body);
        let message = teams::compose(&waiting, &ways);
        assert!(message.to_string().len() <= 28 * 1_024, "{}", message.to_string().len());
        let attachment = &message["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(attachment["content"]["actions"][0]["type"], "Action.OpenUrl");
    }
}

#[test]
fn ntfy_gets_no_more_than_it_takes() {
    for body in bodies() {
        let (waiting, ways) = letter(&body);
        let message = ntfy::compose("alerts", &waiting, &ways);
        let text = message["message"].as_str().expect("a text");
        assert!(text.len() <= 4_096, "{}", text.len());
        assert_eq!(message["topic"], "alerts");
        assert_eq!(message["priority"], 4);
        assert_eq!(message["actions"].as_array().expect("buttons").len(), 3);
        assert_eq!(message["click"], url(40));
    }
}

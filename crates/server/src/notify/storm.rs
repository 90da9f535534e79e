//! Many letters in a short time become one: nobody reads two hundred messages, and no receiver
//! takes them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::json;
use toehold_core::model::{AppName, EventKind, Subject};
use toehold_core::offer::Offer;
use toehold_core::time::Timestamp;

use crate::notify::layout::{Page, cut};
use crate::notify::outbox::Waiting;
use crate::notify::{Channel, Letter};

/// So many letters that are due at once are a storm.
pub(super) const STORM: usize = 6;

/// How much text a joined letter may have, in bytes: what the channel shows of it, and what fits
/// into a document together with the list of what is in it.
const fn room(channel: Channel) -> usize {
    match channel {
        Channel::Mail | Channel::Webhook | Channel::Slack => 20 * 1024,
        Channel::Teams => 12 * 1024,
        Channel::Discord | Channel::Ntfy => 3 * 1024,
    }
}

/// What a line takes beside its text, in bytes.
const APIECE: usize = 8;

/// The most letters in one, whatever their size.
const MOST: usize = 150;

/// The most links in a joined letter: those of the newest.
const OFFERS: usize = 4;

/// So many messages go by themselves in [`WHILE`]; then one at a time, [`APART`].
const BURST: usize = 20;
const WHILE: Duration = Duration::from_mins(10);
const APART: Duration = Duration::from_mins(1);

/// When the next message may go.
#[derive(Debug, Default)]
pub(super) struct Pace {
    sent: VecDeque<Timestamp>,
}

impl Pace {
    /// Notes that one went at `now`.
    pub(super) fn went(&mut self, now: Timestamp) {
        self.sent.retain(|at| *at <= now && now.since(*at) < WHILE);
        self.sent.push_back(now);
        if self.sent.len() > BURST {
            self.sent.pop_front();
        }
    }

    /// The first moment at which another may go.
    pub(super) fn free_at(&self, channel: Channel) -> Timestamp {
        let (Some(first), Some(last)) = (self.sent.front(), self.sent.back()) else {
            return Timestamp::default();
        };
        let next = last.plus(apart(channel));
        // The burst is spent while its first message is in the window.
        if self.sent.len() >= BURST {
            next.max(last.plus(APART).min(first.plus(WHILE)))
        } else {
            next
        }
    }
}

/// The least time between two messages, as the receivers publish it: Slack takes one a second,
/// Discord thirty a minute, Teams four a second, ntfy refills one in five seconds.
const fn apart(channel: Channel) -> Duration {
    match channel {
        Channel::Mail | Channel::Webhook => Duration::ZERO,
        Channel::Slack | Channel::Teams => Duration::from_secs(1),
        Channel::Discord => Duration::from_secs(2),
        Channel::Ntfy => Duration::from_secs(5),
    }
}

/// Many letters, oldest first, as one; and how many of them are in it.
pub(super) fn join(letters: &[&Waiting], channel: Channel, now: Timestamp) -> (Letter, usize) {
    let mut lines = Vec::new();
    let (mut size, mut kinds) = (0, BTreeMap::<EventKind, usize>::new());
    for waiting in letters.iter().take(MOST) {
        let letter = &waiting.letter;
        let line = format!("{}  {}", letter.at, letter.headline);
        size += line.len() + APIECE;
        if size > room(channel) && !lines.is_empty() {
            break;
        }
        *kinds.entry(letter.kind).or_default() += 1;
        lines.push(line);
    }
    let taken = lines.len();
    let inside = &letters[..taken];
    let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let counts = counts.join(", ");
    let app = the_same_app(inside);
    let about = app.map_or_else(|| "toehold".to_owned(), ToString::to_string);
    let page = Page::default()
        .prose(&format!(
            "{taken} messages came in a short time and are put into this one. Each stands here \
             with its time; what is behind it is shown by `toehold why`, `toehold events` and the \
             dashboard."
        ))
        .verbatim("They are", lines);
    let ids: Vec<_> = inside
        .iter()
        .map(|it| json!({ "id": it.id, "type": it.letter.kind, "app": it.letter.app }))
        .collect();
    let letter = Letter {
        kind: EventKind::MessagesJoined,
        app: app.cloned(),
        about: app.map_or(Subject::Toehold, |_| Subject::App),
        at: now,
        headline: cut(&format!("[{about}] {taken} messages: {counts}"), 140),
        body: page.finish(),
        facts: json!({ "count": taken, "letters": ids }),
        offers: newest_offers(inside),
    };
    (letter, taken)
}

fn the_same_app<'a>(letters: &[&'a Waiting]) -> Option<&'a AppName> {
    let first = letters.first()?.letter.app.as_ref()?;
    letters.iter().all(|it| it.letter.app.as_ref() == Some(first)).then_some(first)
}

/// Those that were offered last, each once. What does not stand any more says so when it is asked.
fn newest_offers(letters: &[&Waiting]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for offer in letters.iter().rev().flat_map(|it| &it.letter.offers) {
        if offers.len() < OFFERS && !offers.contains(offer) {
            offers.push(offer.clone());
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use toehold_core::model::Number;

    use super::*;
    use crate::notify::outbox::waiting;
    use crate::store::{Doc, Write};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000 + seconds * 1_000)
    }

    fn letters(count: usize, headline: &str) -> Vec<Waiting> {
        let one = |nth: usize| {
            let app = Some("shop".parse().expect("a name"));
            let offers = vec![Offer::GiveUp { release: Number(nth as u64) }];
            let headline = format!("{headline} {nth}");
            let letter = Letter { app, headline, offers, ..Letter::test("ann", at(0)) };
            waiting(letter, Channel::Mail).1
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn every_letter_of_a_storm_is_named_in_one_and_it_fits_into_the_store() {
        for headline in ["[shop] build failed", &"\"ä".repeat(70)] {
            let all = letters(1_000, headline);
            let mut left: Vec<&Waiting> = all.iter().collect();
            let mut messages = 0;
            while !left.is_empty() {
                let (letter, taken) = join(&left, Channel::Mail, at(60));
                for waiting in &left[..taken] {
                    assert!(letter.facts.to_string().contains(&waiting.id));
                }
                let (key, waiting) = waiting(letter, Channel::Mail);
                let Write::Put { value, .. } = Write::put(key, &waiting) else { panic!("a put") };
                assert!(value.len() < Doc::MAX_VALUE_BYTES, "{}", value.len());
                left.drain(..taken);
                messages += 1;
            }
            assert!(messages <= 20, "{messages}");
        }
    }

    #[test]
    fn the_links_are_those_of_the_newest() {
        let all = letters(9, "x");
        let (letter, taken) = join(&all.iter().collect::<Vec<_>>(), Channel::Slack, at(1));
        assert_eq!(taken, 9);
        assert_eq!(letter.headline, "[shop] 9 messages: 9 message.sent");
        assert_eq!(letter.offers.len(), OFFERS);
        assert_eq!(letter.offers[0], Offer::GiveUp { release: Number(8) });
    }

    #[test]
    fn a_burst_goes_at_once_and_then_one_a_minute() {
        let mut pace = Pace::default();
        for _ in 0..BURST {
            assert!(pace.free_at(Channel::Mail) <= at(0));
            pace.went(at(0));
        }
        assert_eq!(pace.free_at(Channel::Mail), at(60));
        pace.went(at(60));
        assert_eq!(pace.free_at(Channel::Mail), at(120));
        let mut pace = Pace::default();
        pace.went(at(0));
        assert_eq!(pace.free_at(Channel::Discord), at(2));
    }
}

//! What is kept of a host, and what is to be done about it now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::certificates::{
    Certificate, FIRST_WAIT, LONGEST_WAIT, Origin, is_expiring, renew_at, tried_again_at,
};
use crate::model::Digest;
use crate::time::Timestamp;

/// How often in a row the first CA may fail before the other is asked in turn with it.
const PATIENCE: u32 = 3;

/// How many failures are remembered: as many as an hour may have.
const REMEMBERED: usize = crate::certificates::FAILURES_AN_HOUR;

/// So old is a certificate at least that is renewed because its CA wishes it.
const YOUNG: Duration = Duration::from_hours(24);

/// The longest text of a failure that is kept, in characters.
const WHY_CHARS: usize = 1_000;

/// What is kept of a host; its key is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What it has now.
    pub certificate: Option<Certificate>,
    /// The SHA-256 of what is kept with its key, which names that.
    pub pair: Option<Digest>,
    /// When an order was begun whose outcome is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// The orders that failed since the last that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// When the CA itself wishes that it be renewed (RFC 9773).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wished_at: Option<Timestamp>,
    /// What was said of its end.
    #[serde(default)]
    pub told: Told,
}

/// What was said of a certificate's end: each is said once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// That it ends soon.
    Soon,
    /// That it has ended.
    Ended,
}

/// Orders that failed, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// How many.
    pub count: u32,
    /// When the last few did, oldest first.
    pub recent: Vec<Timestamp>,
    /// When the next is begun.
    pub again_at: Timestamp,
    /// Why the last did, in words.
    pub why: String,
}

/// The CAs, each by the URL of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directories<'a> {
    /// The one that is asked first.
    pub first: &'a str,
    /// The one that is asked where that one fails for a while.
    pub fallback: Option<&'a str>,
}

/// Which CA is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one of `directory`.
    First,
    /// The one of `fallback_directory`.
    Fallback,
}

/// What is to be done about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A certificate is to be asked for.
    Now(Which),
    /// Nothing before this.
    At(Timestamp),
    /// Nothing: it is not ours to renew.
    Never,
}

/// An order that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
    /// When the CA will hear of it again, where it said so.
    pub not_before: Option<Timestamp>,
    /// From 0 to 1: how much longer than need be is waited.
    pub chance: f64,
}

impl Kept {
    /// What is to be done now. `chance`, from 0 to 1, is the same each time for a host. A certificate
    /// of a CA that is not asked any more, such as one for trying things out, is renewed at once.
    #[must_use]
    pub fn ask(&self, now: Timestamp, chance: f64, of: Directories<'_>) -> Ask {
        let due = match &self.certificate {
            None => Some(Timestamp::default()),
            Some(it) if of.have_gone_from(&it.from) => Some(Timestamp::default()),
            Some(it) => renew_at(it, chance).map(|at| at.min(self.wish_of(it).unwrap_or(at))),
        };
        let Some(due) = due else { return Ask::Never };
        // One that was cut off cost the CA something, too. What is yet to come was written by a
        // clock that has been set back since, and counts for nothing.
        let cut_off = self.begun_at.filter(|at| *at <= now).map(|at| at.plus(FIRST_WAIT));
        let trouble = self.trouble.as_ref().filter(|it| it.recent.last() <= Some(&now));
        let after_trouble = trouble.map(|it| it.again_at);
        let at = [Some(due), cut_off, after_trouble].into_iter().flatten().max().unwrap_or(due);
        if at > now { Ask::At(at) } else { Ask::Now(self.which(of.fallback.is_some())) }
    }

    /// When the CA wishes it, and not before a certificate is a day old: a CA that wishes it of each
    /// certificate it gives would be asked without end.
    fn wish_of(&self, certificate: &Certificate) -> Option<Timestamp> {
        let life = certificate.not_after.since(certificate.not_before);
        self.wished_at.map(|at| at.max(certificate.not_before.plus(YOUNG.min(life / 3))))
    }

    fn which(&self, has_fallback: bool) -> Which {
        let failed = self.trouble.as_ref().map_or(0, |it| it.count);
        let in_turn = failed >= PATIENCE && (failed - PATIENCE).is_multiple_of(2);
        if has_fallback && in_turn { Which::Fallback } else { Which::First }
    }

    /// An order is begun.
    #[must_use]
    pub fn begun(self, now: Timestamp) -> Self {
        Self { begun_at: Some(now), ..self }
    }

    /// An order brought a certificate.
    #[must_use]
    pub fn issued(certificate: Certificate, pair: Digest) -> Self {
        Self { certificate: Some(certificate), pair: Some(pair), ..Self::default() }
    }

    /// Whether a certificate that came just now is due again already: by one of two clocks it is old.
    #[must_use]
    pub fn is_due_at_once(certificate: &Certificate, now: Timestamp) -> bool {
        renew_at(certificate, 1.0).is_some_and(|at| at <= now)
    }

    /// An order failed. What it has stays.
    #[must_use]
    pub fn failed(self, attempt: Attempt) -> Self {
        let Attempt { at, why, not_before, chance } = attempt;
        let (mut count, mut recent) =
            self.trouble.map_or((0, Vec::new()), |it| (it.count, it.recent));
        count = count.saturating_add(1);
        recent.push(at);
        recent.drain(..recent.len().saturating_sub(REMEMBERED));
        let again_at = tried_again_at(count, &recent, not_before, chance);
        let why = why.chars().take(WHY_CHARS).collect();
        let trouble = Some(Trouble { count, recent, again_at, why });
        Self { begun_at: None, trouble, ..self }
    }

    /// Whether nothing in it is of use where the host leads nowhere any more: the certificate has
    /// ended, and what failed did so long ago.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let ended = self.certificate.as_ref().is_none_or(|it| it.not_after <= now);
        let failed = self.trouble.as_ref().and_then(|it| it.recent.last());
        let long_ago = |at: &Timestamp| at.plus(LONGEST_WAIT * 2) <= now;
        ended && failed.is_none_or(long_ago) && self.begun_at.as_ref().is_none_or(long_ago)
    }

    /// Whether it ends soon, or has ended, and could not be renewed.
    #[must_use]
    pub fn is_expiring(&self, now: Timestamp) -> bool {
        self.certificate.as_ref().is_some_and(|it| is_expiring(it, now))
    }

    /// What is to be said of its end and was not said yet. While nobody has tried yet to renew it,
    /// though that is `asked_for`, there is nothing to be said: the machine may have been off.
    #[must_use]
    pub fn to_tell(&self, now: Timestamp, asked_for: bool) -> Option<Told> {
        let certificate = self.certificate.as_ref()?;
        let is_ours = asked_for && matches!(certificate.from, Origin::Acme { .. });
        let told = match certificate {
            it if it.not_after <= now => Told::Ended,
            it if is_expiring(it, now) && (self.trouble.is_some() || !is_ours) => Told::Soon,
            _ => Told::Nothing,
        };
        (told > self.told).then_some(told)
    }
}

impl Directories<'_> {
    fn have_gone_from(self, origin: &Origin) -> bool {
        match origin {
            Origin::File => false,
            Origin::Acme { directory } => {
                directory != self.first && Some(directory.as_str()) != self.fallback
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    const ONE: Directories<'_> = Directories { first: "https://ca.example.com", fallback: None };
    const BOTH: Directories<'_> = Directories { fallback: Some("https://b.example.com"), ..ONE };

    fn start() -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000)
    }

    fn certificate(from: Origin) -> Certificate {
        let (not_before, not_after) = (start(), start().plus(DAY * 90));
        Certificate { names: vec!["shop.example.com".into()], not_before, not_after, from }
    }

    fn issued() -> Kept {
        of("https://ca.example.com")
    }

    fn of(directory: &str) -> Kept {
        let from = Origin::Acme { directory: directory.into() };
        Kept::issued(certificate(from), Digest::of(b"pair"))
    }

    fn failed(kept: Kept, at: Timestamp) -> Kept {
        kept.failed(Attempt { at, why: "no".into(), not_before: None, chance: 0.0 })
    }

    #[test]
    fn what_is_to_be_done_follows_from_what_is_kept() {
        let begun = Kept::default().begun(start());
        let wished = Kept { wished_at: Some(start().plus(DAY * 2)), ..issued() };
        let always = Kept { wished_at: Some(Timestamp::default()), ..issued() };
        let file = Kept { certificate: Some(certificate(Origin::File)), ..Kept::default() };
        let minute = |count| start().plus(Duration::from_mins(count));
        for (what, kept, now, ask) in [
            ("nothing yet", Kept::default(), start(), Ask::Now(Which::First)),
            ("fresh", issued(), start(), Ask::At(start().plus(DAY * 60))),
            ("due", issued(), start().plus(DAY * 60), Ask::Now(Which::First)),
            ("cut off", begun.clone(), minute(0), Ask::At(minute(1))),
            ("cut off a while ago", begun, minute(1), Ask::Now(Which::First)),
            ("failed", failed(Kept::default(), start()), minute(0), Ask::At(minute(1))),
            ("waited", failed(Kept::default(), start()), minute(1), Ask::Now(Which::First)),
            (
                "a clock set back",
                failed(Kept::default(), minute(900)),
                minute(0),
                Ask::Now(Which::First),
            ),
            (
                "cut off by then",
                Kept::default().begun(minute(9)),
                minute(0),
                Ask::Now(Which::First),
            ),
            ("the CA wishes", wished.clone(), start(), Ask::At(start().plus(DAY * 2))),
            ("the CA wished", wished, start().plus(DAY * 2), Ask::Now(Which::First)),
            ("the CA always wishes", always, start(), Ask::At(start().plus(DAY))),
            ("of the other", of("https://b.example.com"), start(), Ask::At(start().plus(DAY * 60))),
            ("of one before", of("https://try.example.com"), start(), Ask::Now(Which::First)),
            ("of a file", file, start().plus(DAY * 90), Ask::Never),
        ] {
            assert_eq!(kept.ask(now, 0.0, BOTH), ask, "{what}");
        }
    }

    #[test]
    fn after_three_failures_the_other_ca_is_asked_in_turn() {
        let mut kept = issued();
        let mut asked = Vec::new();
        for _ in 0..6 {
            let now = kept.trouble.as_ref().map_or(start().plus(DAY * 60), |it| it.again_at);
            assert_eq!(kept.ask(now, 0.0, ONE), Ask::Now(Which::First));
            asked.push(kept.ask(now, 0.0, BOTH));
            kept = failed(kept, now);
        }
        let (first, other) = (Ask::Now(Which::First), Ask::Now(Which::Fallback));
        assert_eq!(asked, [first, first, first, other, first, other]);
        assert!(kept.certificate.is_some(), "what it has stays");
        assert_eq!(kept.trouble.map(|it| (it.count, it.recent.len())), Some((6, 5)));
    }

    #[test]
    fn its_end_is_said_when_it_is_near_and_when_it_has_come_each_once() {
        let both = vec![(76, Told::Soon), (90, Told::Ended)];
        let untried = vec![(90, Told::Ended)];
        for (what, mut kept, asked_for, tells) in [
            ("it was tried", failed(issued(), start().plus(DAY * 61)), true, &both),
            ("it was not tried", issued(), true, &untried),
            ("nobody is asked", issued(), false, &both),
            ("there is none", failed(Kept::default(), start()), true, &vec![]),
        ] {
            let mut said = Vec::new();
            for day in 0..100 {
                if let Some(told) = kept.to_tell(start().plus(DAY * day), asked_for) {
                    said.push((day, told));
                    kept.told = told;
                }
            }
            assert_eq!(&said, tells, "{what}");
        }
    }

    #[test]
    fn a_host_that_is_gone_is_forgotten_once_nothing_of_it_is_of_use() {
        for (what, kept, day) in [
            ("nothing", Kept::default(), 0),
            ("it failed", failed(Kept::default(), start()), 1),
            ("it was begun", Kept::default().begun(start()), 1),
            ("a certificate", issued(), 90),
            ("one that failed later", failed(issued(), start().plus(DAY * 90)), 91),
        ] {
            assert!(kept.is_over(start().plus(DAY * day)), "{what}");
            let before = start().plus((DAY * day).saturating_sub(Duration::from_secs(1)));
            assert_eq!(kept.is_over(before), day == 0, "{what}");
        }
    }
}

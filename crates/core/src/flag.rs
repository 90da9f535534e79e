//! Flags: what an app asks while it runs. All of an app's flags are one document, so that a
//! reader sees one state of them and a change is one step.

mod key;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use key::{FlagKey, FlagKeyError};

use crate::model::{AppName, Event, EventKind, Subject};
use crate::time::Timestamp;

/// The flags of one app.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlagSet {
    /// Each flag, by its key.
    pub flags: BTreeMap<FlagKey, Flag>,
}

/// A flag: on or off for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Whether it is on.
    pub value: bool,
    /// What it was when it was first seen.
    pub default: bool,
    /// What it is for, in its maker's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was last changed, or first seen.
    pub changed_at: Timestamp,
    /// Who changed it.
    pub changed_by: String,
    /// How often it was set, counted from 1 for the first value.
    pub version: u64,
}

/// What a flag is for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The value.
    pub value: bool,
    /// The value's name: `on` or `off`.
    pub variant: &'static str,
    /// Why it is so, in the words of `OpenFeature`: `STATIC`, the same for everyone.
    pub reason: &'static str,
    /// Which of the flag's versions it is.
    pub version: u64,
}

/// A change to a set: the set as it is then, and the events that say so.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The next document.
    pub set: FlagSet,
    /// What changed, in order; never empty.
    pub events: Vec<Event>,
}

/// Who changes a flag of which app, and when.
#[derive(Clone, Copy, Debug)]
pub struct Hand<'a> {
    /// The app.
    pub app: &'a AppName,
    /// A user, a token's name, `toehold` itself.
    pub actor: &'a str,
    /// When.
    pub now: Timestamp,
}

impl FlagSet {
    /// The value of a flag; `None` where there is no such flag.
    #[must_use]
    pub fn evaluate(&self, key: &FlagKey) -> Option<Evaluation> {
        self.flags.get(key).map(Flag::evaluate)
    }

    /// Turns a flag on or off; one that is not there is made. `None` where it is so already.
    #[must_use]
    pub fn set(&self, key: &FlagKey, value: bool, hand: Hand<'_>) -> Option<Change> {
        let old = self.flags.get(key).map(|flag| flag.value);
        if old == Some(value) {
            return None;
        }
        let mut set = self.clone();
        let flag = set.flags.entry(key.clone()).or_insert_with(|| Flag::first(value, hand));
        if old.is_some() {
            flag.value = value;
            flag.version += 1;
            hand.actor.clone_into(&mut flag.changed_by);
            flag.changed_at = hand.now;
        }
        let events = vec![changed(key, old, flag, hand)];
        Some(Change { set, events })
    }

    /// Turns a flag to its other side; `None` where there is no such flag.
    #[must_use]
    pub fn toggle(&self, key: &FlagKey, hand: Hand<'_>) -> Option<Change> {
        let value = self.flags.get(key)?.value;
        self.set(key, !value, hand)
    }

    /// Adds the flags a configuration declares and that were never seen before. A flag that is
    /// there stays as it is, whatever the configuration says: it may have been set by hand. `None`
    /// where all are there.
    ///
    /// # Errors
    /// [`FlagKeyError`] for the first key that cannot be one.
    pub fn merge_declared(
        &self,
        declared: &BTreeMap<String, bool>,
        hand: Hand<'_>,
    ) -> Result<Option<Change>, FlagKeyError> {
        let mut change = Change { set: self.clone(), events: Vec::new() };
        for (text, &value) in declared {
            let key: FlagKey = text.parse()?;
            if let Some(next) = (!self.flags.contains_key(&key))
                .then(|| change.set.set(&key, value, hand))
                .flatten()
            {
                change.set = next.set;
                change.events.extend(next.events);
            }
        }
        Ok(if change.events.is_empty() { None } else { Some(change) })
    }
}

impl Flag {
    fn first(value: bool, hand: Hand<'_>) -> Self {
        Self {
            value,
            default: value,
            description: None,
            changed_at: hand.now,
            changed_by: hand.actor.to_owned(),
            version: 1,
        }
    }

    /// Its value, for anyone.
    #[must_use]
    pub const fn evaluate(&self) -> Evaluation {
        let variant = if self.value { "on" } else { "off" };
        Evaluation { value: self.value, variant, reason: "STATIC", version: self.version }
    }
}

fn changed(key: &FlagKey, old: Option<bool>, flag: &Flag, hand: Hand<'_>) -> Event {
    let word = |value| if value { "on" } else { "off" };
    let text = match old {
        None => format!("flag {key} is there and is {}", word(flag.value)),
        Some(old) => format!("flag {key} went from {} to {}", word(old), word(flag.value)),
    };
    Event {
        rev: 0,
        at: hand.now,
        app: Some(hand.app.clone()),
        kind: EventKind::FlagChanged,
        subject: Subject::Flag(key.to_string()),
        cause: None,
        actor: hand.actor.to_owned(),
        text,
        facts: json!({ "old": old, "new": flag.value, "version": flag.version }),
    }
}

#[cfg(test)]
mod tests;

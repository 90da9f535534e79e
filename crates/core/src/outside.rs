//! What other systems say of an app, and what comes of it: an alert from outside is a fact like one
//! that was measured, and takes the canary's traffic back in the same step.

use crate::alert::{over, raise_outside};
use crate::draft::Draft;
use crate::model::{Outside, Track};
use crate::plan::route;
use crate::rollout;
use crate::situation::{Decision, Heard, Situation};

/// One thing another system says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The alert's name there.
    pub name: String,
    /// The track it is about.
    pub track: Track,
    /// What is said; its fingerprint tells alerts apart.
    pub told: Outside,
    /// Whether it holds; else it is over.
    pub holds: bool,
}

/// What came of one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An alert was raised.
    Raised,
    /// An alert ended.
    Cleared,
    /// It was so already.
    Known,
    /// Nothing could come of it; why, in words.
    Nothing(String),
}

/// What comes of what `actor` says: a decision, and the outcome of each word in order.
#[must_use]
pub fn hear(situation: Situation<'_>, words: &[Word], actor: &str) -> (Decision, Vec<Outcome>) {
    let mut draft = Draft::new(situation, actor);
    let outcomes = words.iter().map(|word| one(&mut draft, word)).collect();
    if draft.has_changed() {
        // Nothing was watched in here, so nobody is blamed for anything but the alerts.
        rollout::advance(&mut draft, &Heard::default());
        route(&mut draft);
    }
    (draft.finish(), outcomes)
}

fn one(draft: &mut Draft<'_>, word: &Word) -> Outcome {
    if !word.holds {
        return if over(draft, &word.told.fingerprint) { Outcome::Cleared } else { Outcome::Known };
    }
    match raise_outside(draft, &word.name, word.track, &word.told) {
        Ok(true) => Outcome::Raised,
        Ok(false) => Outcome::Known,
        Err(why) => Outcome::Nothing(why),
    }
}

#[cfg(test)]
mod tests;

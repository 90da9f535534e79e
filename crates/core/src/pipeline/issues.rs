//! Findings against those of the last good build: new, fixed, outstanding.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Issue, IssueSummary};

/// What is new, fixed and outstanding in `found` against `baseline`.
///
/// A finding is the same where file, rule and message are, wherever its line went; as many as there
/// are on both sides are outstanding, the nearest lines first, so that what is called new is most
/// likely what is. A message that differs in a number only (`line is too long (121)`) is the same.
#[must_use]
pub fn compare(baseline: &[Issue], found: &[Issue]) -> IssueSummary {
    let mut pairing = Pairing {
        before: baseline.iter().map(Some).collect(),
        after: found.iter().map(Some).collect(),
        outstanding: Vec::new(),
    };
    pairing.pair(|issue| (issue.file.clone(), &issue.rule, issue.message.clone(), issue.line));
    pairing.pair(|issue| (issue.file.clone(), &issue.rule, issue.message.clone(), 0));
    pairing.pair(|issue| (issue.file.clone(), &issue.rule, without_numbers(&issue.message), 0));
    let mut summary = IssueSummary {
        new: pairing.after.into_iter().flatten().cloned().collect(),
        fixed: pairing.before.into_iter().flatten().cloned().collect(),
        outstanding: pairing.outstanding.into_iter().cloned().collect(),
    };
    for list in [&mut summary.new, &mut summary.fixed, &mut summary.outstanding] {
        list.sort_by_key(|issue| (Reverse(issue.severity), issue.file.clone(), issue.line));
    }
    summary
}

type Key<'a> = (String, &'a String, String, u32);

/// What is not paired yet, and the findings of now that are.
struct Pairing<'a> {
    before: Vec<Option<&'a Issue>>,
    after: Vec<Option<&'a Issue>>,
    outstanding: Vec<&'a Issue>,
}

impl<'a> Pairing<'a> {
    /// Pairs what has the same key, the nearest line first.
    fn pair(&mut self, key: impl Fn(&'a Issue) -> Key<'a>) {
        let mut here: BTreeMap<Key<'a>, BTreeSet<(u32, usize)>> = BTreeMap::new();
        for (index, issue) in self.after.iter().enumerate() {
            if let Some(issue) = issue {
                here.entry(key(issue)).or_default().insert((issue.line, index));
            }
        }
        for slot in &mut self.before {
            let Some(issue) = *slot else { continue };
            let Some(same) = here.get_mut(&key(issue)) else { continue };
            let above = same.range(..(issue.line, 0)).next_back().copied();
            let below = same.range((issue.line, 0)..).next().copied();
            let far = |place: &(u32, usize)| place.0.abs_diff(issue.line);
            let Some(place) = above.into_iter().chain(below).min_by_key(far) else { continue };
            same.remove(&place);
            *slot = None;
            self.outstanding.extend(self.after[place.1].take());
        }
    }
}

fn without_numbers(message: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    for c in message.chars() {
        match (c.is_ascii_digit(), kept.ends_with('0')) {
            (true, true) => {}
            (true, false) => kept.push('0'),
            (false, _) => kept.push(c),
        }
    }
    kept
}

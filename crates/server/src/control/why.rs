//! `toehold why`: the chain of what led to something, with its numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toehold_core::model::{AppName, Event, Subject};

use super::events::Span;
use super::{Control, ControlError};

/// How far back the log is read.
const READ: usize = 1_000;

/// The longest chain that is shown.
const SHOWN: usize = 60;

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// What happened.
    pub event: Event,
    /// Whether it is about the thing itself; the others led to it.
    pub about_it: bool,
}

impl Control {
    /// What led to `subject` being as it is: everything about it, and everything that caused that,
    /// oldest first.
    pub async fn why(&self, app: &AppName, subject: &Subject) -> Result<Vec<Link>, ControlError> {
        let events = self.events(Some(app), Span::Last, READ).await?;
        Ok(chain(&events, subject))
    }
}

fn chain(events: &[Event], subject: &Subject) -> Vec<Link> {
    let by_rev: BTreeMap<u64, &Event> = events.iter().map(|event| (event.rev, event)).collect();
    let about: BTreeSet<u64> =
        events.iter().filter(|event| event.subject == *subject).map(|event| event.rev).collect();
    let mut chain = about.clone();
    let mut open: Vec<u64> = about.iter().copied().collect();
    while let Some(rev) = open.pop() {
        let cause = by_rev.get(&rev).and_then(|event| event.cause);
        if let Some(cause) = cause.filter(|cause| chain.insert(*cause)) {
            open.push(cause);
        }
    }
    let links: Vec<Link> = chain
        .iter()
        .filter_map(|rev| by_rev.get(rev))
        .map(|event| Link { event: (*event).clone(), about_it: about.contains(&event.rev) })
        .collect();
    let from = links.len().saturating_sub(SHOWN);
    links[from..].to_vec()
}

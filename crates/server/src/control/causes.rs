//! What led to an event, where nobody could know its revision when it was written.

use std::collections::BTreeMap;

use toehold_core::model::{AppName, Event};

/// As a cause: the event before it in the log of its app. Events of one decision are written in one
/// step, in the order they led to each other, before anyone knows their revisions; and no revision
/// is 0.
pub(super) const THE_ONE_BEFORE: u64 = 0;

/// Names the causes of events that are read in order. The first that is read may be led by one that
/// is not; then nobody is named.
#[derive(Debug, Default)]
pub struct Causes {
    /// The last event of each app.
    before: BTreeMap<Option<AppName>, u64>,
}

impl Causes {
    /// Makes the cause of the next event a revision.
    pub fn name(&mut self, event: &mut Event) {
        let before = self.before.insert(event.app.clone(), event.rev);
        if event.cause == Some(THE_ONE_BEFORE) {
            event.cause = before;
        }
    }
}

//! A file that one release does not have is asked of the other: a page of the release before, or of
//! the next one, names it.

use crate::meter::AppMeter;
use crate::retry::Run;
use crate::route::{Choice, Tried};

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    NotYet,
    /// The other one is asked, and its answer counts.
    Asked,
    /// It did not answer: the first one is asked again for its own.
    Back,
}

impl Run<'_> {
    /// What pays for asking another release where this one has no such file; `None` where none is
    /// asked.
    pub(super) fn beside(&self, choice: &Choice, repeatable: bool) -> Option<&AppMeter> {
        let is_asked = self.goal.is_for_asset
            && repeatable
            && self.beside == Beside::NotYet
            && self.app.serves_beside(choice.track);
        is_asked.then_some(&*self.app.meter)
    }

    /// The first one said that there is no such file.
    pub(super) fn ask_beside(&mut self) {
        self.beside = Beside::Asked;
        self.tried = Tried::default();
        // It has not failed.
        self.failed_at = None;
    }

    /// The first one is asked again.
    pub(super) fn go_back(&mut self) {
        self.beside = Beside::Back;
        self.tried = Tried::default();
        self.forgiving = false;
    }
}

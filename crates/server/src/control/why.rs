//! `toehold why`: the chain of what led to something, with its numbers.

use toehold_core::model::{AppName, Subject};
use toehold_core::why::{Link, chain};

use super::events::Span;
use super::{Control, ControlError};

/// How far back the log is read.
const READ: usize = 1_000;

impl Control {
    /// What led to `subject` being as it is: everything about it, and everything that caused that,
    /// oldest first.
    pub async fn why(&self, app: &AppName, subject: &Subject) -> Result<Vec<Link>, ControlError> {
        let events = self.events(Some(app), Span::Last, READ).await?;
        Ok(chain(&events, subject))
    }
}

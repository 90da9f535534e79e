//! The log: every change, in order.

use futures_util::stream::BoxStream;
use serde::de::DeserializeOwned;
use toehold_core::model::Event;
use toehold_core::time::Timestamp;

use crate::store::{Key, ReadError, Rev, WatchError};

/// Entries as they are committed. Taking the next one may be given up at any time without losing
/// it.
pub type Watch = BoxStream<'static, Result<LogEntry, WatchError>>;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place in the order.
    pub rev: Rev,
    /// When, by the machine's clock; to be shown, not to order by.
    pub at: Timestamp,
    /// What was changed.
    pub key: Key,
    /// How.
    pub op: Op,
    /// JSON text; `None` exactly for [`Op::Delete`].
    pub value: Option<String>,
    /// Who.
    pub actor: String,
}

impl LogEntry {
    /// What was written, as a `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ReadError> {
        serde_json::from_str(self.value.as_deref().unwrap_or("null")).map_err(|source| {
            ReadError::Unreadable { key: self.key.clone(), rev: self.rev, source }
        })
    }

    /// The event, with its revision, where the entry is one.
    pub fn event(&self) -> Result<Option<Event>, ReadError> {
        if self.op != Op::Append {
            return Ok(None);
        }
        let mut event: Event = self.read()?;
        event.rev = self.rev.0;
        Ok(Some(event))
    }
}

/// How something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// A document was written.
    Put,
    /// A document was deleted.
    Delete,
    /// Something happened.
    Append,
}

impl Op {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Append => "append",
        }
    }
}

/// Which part of the log, and from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRange {
    /// Revisions above this one, oldest first.
    After(Rev),
    /// Revisions below this one, newest first; [`Rev::MAX`] begins at the newest.
    Before(Rev),
}

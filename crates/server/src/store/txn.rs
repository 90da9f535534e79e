//! Documents, revisions and transactions.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use toehold_core::model::Event;

use crate::store::{CommitError, Key, ReadError};

/// The place of a change in the order of all changes; 0 is before the first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Rev(pub u64);

impl Rev {
    /// Before the first change; as an expectation: the document must not exist.
    pub const NONE: Self = Self(0);

    /// After every change there can be.
    pub const MAX: Self = Self(i64::MAX as u64);
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A document: JSON text as it lies in the store, or a type it was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc<T = String> {
    /// Where it lies.
    pub key: Key,
    /// The change that wrote it.
    pub rev: Rev,
    /// What it says.
    pub value: T,
}

impl Doc {
    /// The largest value, in bytes of JSON. Logs, artifacts and metrics are not for the store.
    pub const MAX_VALUE_BYTES: usize = 64 * 1024;

    /// The document as a `T`.
    pub fn read<T: DeserializeOwned>(self) -> Result<Doc<T>, ReadError> {
        let Self { key, rev, value } = self;
        match serde_json::from_str(&value) {
            Ok(value) => Ok(Doc { key, rev, value }),
            Err(source) => Err(ReadError::Unreadable { key, rev, source }),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The document is now this.
    Put {
        /// Where; not under [`Key::EVENTS`].
        key: Key,
        /// JSON text.
        value: String,
    },
    /// The document is gone. Where there was none, nothing happens and nothing is logged.
    Delete {
        /// Where.
        key: Key,
    },
    /// Something happened: only the log shows it.
    Append {
        /// About what; under [`Key::EVENTS`].
        key: Key,
        /// JSON text.
        value: String,
    },
}

impl Write {
    /// Puts `value` as JSON.
    ///
    /// # Panics
    /// Where `value` cannot be JSON at all: a map whose keys are not texts.
    pub fn put<T: Serialize + ?Sized>(key: Key, value: &T) -> Self {
        let value = serde_json::to_string(value).expect("documents are structs, which are JSON");
        Self::Put { key, value }
    }

    /// Deletes the document at `key`.
    #[must_use]
    pub const fn delete(key: Key) -> Self {
        Self::Delete { key }
    }

    /// Appends `event` to the events of its app.
    ///
    /// # Panics
    /// Never: an event is JSON whatever is in it.
    #[must_use]
    pub fn event(event: &Event) -> Self {
        let value = serde_json::to_string(event).expect("an event is JSON whatever is in it");
        Self::Append { key: Key::events_of(event.app.as_ref()), value }
    }

    /// What it changes.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key } | Self::Append { key, .. } => key,
        }
    }
}

/// Changes that are made together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// The revisions these documents must have; [`Rev::NONE`]: must not exist.
    pub expect: Vec<(Key, Rev)>,
    /// The changes, in order. A document is changed at most once; appending may repeat.
    pub writes: Vec<Write>,
    /// Who: a user, a token's name, `toehold`.
    pub actor: String,
    /// Committed again under the same id, it is not done again and the first answer is given
    /// again, for as long as the log of documents reaches back.
    pub op_id: Option<String>,
}

impl Txn {
    /// A transaction by `actor` that does nothing yet.
    #[must_use]
    pub fn by(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), ..Self::default() }
    }

    /// The document at `key` must have revision `rev`.
    #[must_use]
    pub fn expect(mut self, key: Key, rev: Rev) -> Self {
        self.expect.push((key, rev));
        self
    }

    /// One more change.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// The id under which it is done only once.
    #[must_use]
    pub fn op_id(mut self, op_id: impl Into<String>) -> Self {
        self.op_id = Some(op_id.into());
        self
    }

    /// What any engine refuses without looking at the documents.
    pub(in crate::store) fn check(&self) -> Result<(), CommitError> {
        let mut changed = BTreeSet::new();
        for write in &self.writes {
            write.check()?;
            let appends = matches!(write, Write::Append { .. });
            if !appends && !changed.insert(write.key()) {
                let why = "a transaction changes a document at most once";
                return Err(CommitError::Invalid { key: write.key().clone(), why });
            }
        }
        Ok(())
    }
}

impl Write {
    fn check(&self) -> Result<(), CommitError> {
        let invalid = |why| Err(CommitError::Invalid { key: self.key().clone(), why });
        let value = match self {
            Self::Put { key, .. } | Self::Delete { key } if key.is_for_events() => {
                return invalid("no document lies under event/");
            }
            Self::Append { key, .. } if !key.is_for_events() => {
                return invalid("entries are appended under event/ only");
            }
            Self::Delete { .. } => return Ok(()),
            Self::Put { value, .. } | Self::Append { value, .. } => value,
        };
        if value.len() > Doc::MAX_VALUE_BYTES {
            let size_bytes = value.len();
            return Err(CommitError::TooLarge { key: self.key().clone(), size_bytes });
        }
        if serde_json::from_str::<IgnoredAny>(value).is_err() {
            return invalid("its value is not JSON");
        }
        Ok(())
    }
}

/// What a transaction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The last revision it made; where it changed nothing, the store's last.
    pub rev: Rev,
    /// One for each write, in order, never falling; [`Rev::NONE`] for a delete of what was not
    /// there.
    pub revs: Vec<Rev>,
}

//! What can go wrong with the store.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::store::{Doc, Key, Rev};

/// The engine could not do what was asked; it may later.
#[derive(Clone, Debug, Error)]
#[error("the store does not answer: {reason}")]
pub struct Fault {
    /// What is wrong, in words: `the disk is full`.
    pub reason: String,
    /// What the engine said.
    #[source]
    pub source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// A transaction that was not done.
#[derive(Debug, Error)]
pub enum CommitError {
    /// A document is not as expected. Read again, decide again.
    #[error("cannot write: {key} was changed by somebody else")]
    Conflict {
        /// Which.
        key: Key,
        /// What is there now; `None`: nothing.
        found: Option<Doc>,
    },
    /// A value does not belong into the store; put it into a file and its digest here.
    #[error("cannot write {key}: its value has {size_bytes} bytes, and at most {max} are kept", max = Doc::MAX_VALUE_BYTES)]
    TooLarge {
        /// Which.
        key: Key,
        /// How large it is.
        size_bytes: usize,
    },
    /// The transaction makes no sense; a mistake of the caller.
    #[error("cannot write {key}: {why}")]
    Invalid {
        /// Which.
        key: Key,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nothing was written, and reading goes on. It may work later: the disk is full, for example.
    #[error("cannot write: {reason}")]
    Unavailable {
        /// What is wrong, in words.
        reason: String,
        /// What the engine said.
        #[source]
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// It may or may not have been written. Commit it again with the same operation id, or read.
    #[error("cannot tell whether it was written: {reason}")]
    Unknown {
        /// What is wrong, in words.
        reason: String,
        /// What the engine said.
        #[source]
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
}

impl CommitError {
    /// Whether the same transaction may pass later without being decided anew.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unknown { .. } => true,
            Self::Conflict { .. } | Self::TooLarge { .. } | Self::Invalid { .. } => false,
        }
    }
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable { reason: fault.reason, source: fault.source }
    }
}

/// A document that could not be read as what it should be.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The engine could not read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The document is not what it should be: written by another version, or by hand.
    #[error("cannot read {key} at revision {rev}: it is not what this version writes there")]
    Unreadable {
        /// Which.
        key: Key,
        /// Its revision.
        rev: Rev,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
}

/// Why a watch ended.
#[derive(Debug, Error)]
pub enum WatchError {
    /// What came after the revision asked for is partly forgotten: list, and watch from there.
    #[error("cannot watch from revision {after}: the log begins after revision {compacted}")]
    Compacted {
        /// From where it was to go on.
        after: Rev,
        /// What is forgotten.
        compacted: Rev,
    },
    /// The revision asked for was never made here: the store is an older copy than the one the
    /// watcher knew. List, and watch from there.
    #[error("cannot watch from revision {after}: the store's last is {last}")]
    Ahead {
        /// From where it was to go on.
        after: Rev,
        /// The newest there is.
        last: Rev,
    },
    /// The engine could not read.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A store that could not be opened. It was left as it was.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another Toehold uses the folder.
    #[error("{dir} is in use by another Toehold{}: stop that one first, or give another --dir", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    InUse {
        /// The folder.
        dir: PathBuf,
        /// The other's process id, where it can be told.
        pid: Option<u32>,
    },
    /// A newer Toehold wrote it.
    #[error(
        "{path} was written by a newer Toehold (schema {found}, this one knows up to {known}): \
         start that version again, or put back the copy made before the upgrade"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// The file is cut off, overwritten or not a store at all.
    #[error(
        "{path} is damaged: {detail}. Nothing was changed. Put back a copy of it, or move it and \
         its -wal away to begin with an empty store"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file or its folder cannot be used.
    #[error(
        "cannot open the store {path}: see that this user may write there and the disk has space"
    )]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The engine could not open it.
    #[error("cannot open the store {path}")]
    Engine {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: Arc<dyn StdError + Send + Sync>,
    },
}

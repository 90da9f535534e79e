//! Flags of the apps: kept in the store, read from memory, asked for by apps through the
//! `OpenFeature` Remote Evaluation Protocol.

mod change;
mod follow;
pub mod ofrep;

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;
use toehold_core::flag::{Flag, FlagKey, FlagKeyError, FlagSet};
use toehold_core::model::AppName;
use tokio::sync::{Mutex, watch};

use crate::clock::Clock;
use crate::store::{CommitError, Key, KeyError, ReadError, Rev, Store, WatchError};

pub use change::Changed;
pub use follow::{AllFlags, FlagWatch};

/// Where the flags of the apps lie in the store.
const PREFIX: &str = "flags/";

/// The flags of every app. A change is on disk before it is answered; a read touches no disk and
/// waits for nobody.
pub struct Flags {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// What was last read or written, by app.
    sets: watch::Sender<BTreeMap<AppName, Seen>>,
    /// Changes made here follow each other, so that they do not conflict in the store.
    turn: Mutex<()>,
}

/// A set as it stood at a revision; without flags where its document is gone.
#[derive(Clone, Debug, Default)]
struct Seen {
    rev: Rev,
    set: Arc<FlagSet>,
}

/// What could not be done with a flag.
#[derive(Debug, Error)]
pub enum FlagsError {
    /// There is no such flag.
    #[error("{app} has no flag {key}")]
    NoFlag {
        /// The app.
        app: AppName,
        /// The flag.
        key: FlagKey,
    },
    /// A configuration declares a flag that cannot be one.
    #[error("cannot declare the flags of {app}")]
    Key {
        /// The app.
        app: AppName,
        /// Why.
        #[source]
        source: FlagKeyError,
    },
    /// The app's document would be larger than the store keeps.
    #[error("{app} has as many flags as can be kept: remove what it no longer asks for")]
    TooMany {
        /// The app.
        app: AppName,
    },
    /// Others changed the flags each time in between.
    #[error("cannot change the flags of {app}: others changed them {tries} times meanwhile")]
    Contended {
        /// The app.
        app: AppName,
        /// How often it was tried.
        tries: u32,
    },
    /// The app's name makes no key of the store.
    #[error(transparent)]
    Place(#[from] KeyError),
    /// The store cannot be written.
    #[error("cannot change the flags of {app}")]
    Write {
        /// The app.
        app: AppName,
        /// Why.
        #[source]
        source: CommitError,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store cannot be followed from where it was left; it is listed again.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

impl FlagsError {
    /// Whether the same may work later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Contended { .. } | Self::Watch(_) | Self::Read(ReadError::Fault(_)) => true,
            Self::Write { source, .. } => source.is_transient(),
            Self::NoFlag { .. }
            | Self::Key { .. }
            | Self::TooMany { .. }
            | Self::Place(_)
            | Self::Read(ReadError::Unreadable { .. }) => false,
        }
    }
}

impl Flags {
    /// Reads the flags of every app. [`Flags::follow`] then keeps them as they are.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, FlagsError> {
        let flags = Self { store, clock, sets: watch::Sender::default(), turn: Mutex::default() };
        flags.read_all().await?;
        Ok(flags)
    }

    /// Where the flags of an app lie in the store, for a transaction that writes them together
    /// with something else.
    ///
    /// # Errors
    /// Never, as long as an app's name may be part of a key.
    pub fn key_of(app: &AppName) -> Result<Key, KeyError> {
        format!("{PREFIX}{app}").parse()
    }

    /// All flags of an app; none where it has none.
    #[must_use]
    pub fn of(&self, app: &AppName) -> Arc<FlagSet> {
        self.sets.borrow().get(app).map(|seen| Arc::clone(&seen.set)).unwrap_or_default()
    }

    /// One flag of an app.
    #[must_use]
    pub fn get(&self, app: &AppName, key: &FlagKey) -> Option<Flag> {
        self.of(app).flags.get(key).cloned()
    }

    /// Takes in what the store has; what is older than what is known is passed over.
    fn see(&self, app: AppName, rev: Rev, set: FlagSet) {
        self.sets.send_if_modified(|sets| {
            let seen = sets.entry(app).or_default();
            let newer = rev > seen.rev;
            if newer {
                *seen = Seen { rev, set: Arc::new(set) };
            }
            newer
        });
    }
}

#[cfg(test)]
mod tests;

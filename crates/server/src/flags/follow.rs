//! Keeping up with the store, and telling whoever waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use toehold_core::flag::FlagSet;
use toehold_core::model::AppName;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::flags::{Flags, FlagsError, PREFIX, Seen};
use crate::store::{Key, LogEntry, Rev};

/// The time between a store that could not be read and the next try.
const AGAIN: Duration = Duration::from_secs(1);

impl Flags {
    /// Takes in what other processes change, until `stop`. What is changed through this very
    /// [`Flags`] is seen at once, also without this.
    pub async fn follow(&self, stop: CancellationToken) {
        let following = async {
            loop {
                if let Err(error) = self.follow_once().await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot follow the flags; those that are known hold"
                    );
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = following => {}
        }
    }

    /// Lists, then watches from there, until the watch ends.
    async fn follow_once(&self) -> Result<(), FlagsError> {
        let after = self.read_all().await?;
        let mut entries = self.store.watch(PREFIX, after);
        while let Some(entry) = entries.next().await {
            self.take(&entry?)?;
        }
        Ok(())
    }

    fn take(&self, entry: &LogEntry) -> Result<(), FlagsError> {
        if let Some(app) = app_of(&entry.key) {
            let set = if entry.value.is_some() { entry.read()? } else { FlagSet::default() };
            self.see(app, entry.rev, set);
        }
        Ok(())
    }

    /// Reads every set, and says at which revision. An app whose document went has none after it.
    pub(super) async fn read_all(&self) -> Result<Rev, FlagsError> {
        let (docs, rev) = self.store.list_as::<FlagSet>(PREFIX).await?;
        let mut gone: Vec<AppName> = self.sets.borrow().keys().cloned().collect();
        for doc in docs {
            if let Some(app) = app_of(&doc.key) {
                gone.retain(|it| *it != app);
                self.see(app, doc.rev, doc.value);
            }
        }
        for app in gone {
            self.see(app, rev, FlagSet::default());
        }
        Ok(rev)
    }

    /// The flags of an app now and after each change.
    #[must_use]
    pub fn watch(&self, app: &AppName) -> FlagWatch {
        FlagWatch { sets: self.sets.subscribe(), app: app.clone(), seen: None }
    }
}

impl Flags {
    /// Tells whenever the flags of some app have changed.
    #[must_use]
    pub fn watch_all(&self) -> AllFlags {
        AllFlags { sets: self.sets.subscribe() }
    }

    /// The flags of every app, as they are known now.
    #[must_use]
    pub fn all(&self) -> BTreeMap<AppName, Arc<FlagSet>> {
        self.sets.borrow().iter().map(|(app, seen)| (app.clone(), Arc::clone(&seen.set))).collect()
    }
}

/// See [`Flags::watch_all`].
pub struct AllFlags {
    sets: watch::Receiver<BTreeMap<AppName, Seen>>,
}

impl AllFlags {
    /// Waits until something has changed since it was last asked.
    ///
    /// # Errors
    /// Once [`Flags`] is gone.
    pub async fn changed(&mut self) -> Result<(), watch::error::RecvError> {
        self.sets.changed().await
    }
}

/// See [`Flags::watch`].
pub struct FlagWatch {
    sets: watch::Receiver<BTreeMap<AppName, Seen>>,
    app: AppName,
    seen: Option<Rev>,
}

impl FlagWatch {
    /// The flags as they are: at once when first asked, then when they have changed; several
    /// changes may be told as one. `None` once [`Flags`] is gone. Giving up loses nothing.
    pub async fn next(&mut self) -> Option<Arc<FlagSet>> {
        let (app, seen) = (&self.app, self.seen);
        let is_new = |sets: &BTreeMap<AppName, Seen>| {
            let rev = sets.get(app).map_or(Rev::NONE, |it| it.rev);
            seen != Some(rev)
        };
        let sets = self.sets.wait_for(is_new).await.ok()?;
        let now = sets.get(app).cloned().unwrap_or_default();
        self.seen = Some(now.rev);
        Some(now.set)
    }
}

fn app_of(key: &Key) -> Option<AppName> {
    key.as_str().strip_prefix(PREFIX)?.parse().ok()
}

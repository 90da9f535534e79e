//! Changing flags: read, decide, write if nobody wrote in between, else again.

use std::collections::BTreeMap;
use std::time::Duration;

use toehold_core::flag::{Change, Flag, FlagKey, FlagSet, Hand};
use toehold_core::model::AppName;

use crate::flags::{Flags, FlagsError};
use crate::secret::{random_bytes, random_id};
use crate::store::{CommitError, Committed, Doc, Rev, Txn, Write};

/// How often a change is tried where others write in between. Changes of this process follow each
/// other, so the others are other processes over the same store.
const TRIES: u32 = 32;

/// The longest pause after the first conflict; it grows with each, up to eight times.
const PAUSE: Duration = Duration::from_millis(2);

/// How often a transaction is repeated of which the store could not tell whether it was written.
const UNKNOWN_TRIES: u32 = 3;

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The flag as it is now.
    pub flag: Flag,
    /// The event that says so; `None` where it was so already.
    pub event: Option<Rev>,
}

impl Flags {
    /// Turns a flag on or off; one that is not there is made.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub async fn set(
        &self,
        app: &AppName,
        key: &FlagKey,
        value: bool,
        actor: &str,
    ) -> Result<Changed, FlagsError> {
        let (set, events) =
            self.change(app, actor, |set, hand| Ok(set.set(key, value, hand))).await?;
        changed(app, key, &set, &events)
    }

    /// Turns a flag to its other side.
    ///
    /// # Errors
    /// [`FlagsError::NoFlag`]; where it cannot be written.
    pub async fn toggle(
        &self,
        app: &AppName,
        key: &FlagKey,
        actor: &str,
    ) -> Result<Changed, FlagsError> {
        let (set, events) = self.change(app, actor, |set, hand| Ok(set.toggle(key, hand))).await?;
        changed(app, key, &set, &events)
    }

    /// Adds the flags that a release's configuration declares and that were never seen before;
    /// says how many. A flag that is there stays as it is.
    ///
    /// # Errors
    /// [`FlagsError::Key`]; where it cannot be written.
    pub async fn declare(
        &self,
        app: &AppName,
        declared: &BTreeMap<String, bool>,
        actor: &str,
    ) -> Result<usize, FlagsError> {
        let decide = |set: &FlagSet, hand: Hand<'_>| {
            set.merge_declared(declared, hand)
                .map_err(|source| FlagsError::Key { app: app.clone(), source })
        };
        let (_, events) = self.change(app, actor, decide).await?;
        Ok(events.len())
    }

    /// The set after the change, and the revisions of its events; none where nothing changed.
    async fn change(
        &self,
        app: &AppName,
        actor: &str,
        decide: impl Fn(&FlagSet, Hand<'_>) -> Result<Option<Change>, FlagsError>,
    ) -> Result<(FlagSet, Vec<Rev>), FlagsError> {
        let key = Self::key_of(app)?;
        let _turn = self.turn.lock().await;
        for nth in 1..=TRIES {
            let (rev, set) = match self.store.get_as::<FlagSet>(&key).await? {
                Some(Doc { rev, value, .. }) => (rev, value),
                None => (Rev::NONE, FlagSet::default()),
            };
            let hand = Hand { app, actor, now: self.clock.now() };
            let Some(change) = decide(&set, hand)? else {
                return Ok((set, Vec::new()));
            };
            let mut txn = Txn::by(actor)
                .expect(key.clone(), rev)
                .write(Write::put(key.clone(), &change.set))
                .op_id(format!("flags/{}", random_id()));
            for event in &change.events {
                txn = txn.write(Write::event(event));
            }
            match self.commit(txn).await {
                Ok(committed) => {
                    let (written, events) = written(&committed);
                    self.see(app.clone(), written, change.set.clone());
                    return Ok((change.set, events));
                }
                Err(CommitError::Conflict { .. }) => tokio::time::sleep(pause(nth)).await,
                Err(CommitError::TooLarge { .. }) => {
                    return Err(FlagsError::TooMany { app: app.clone() });
                }
                Err(source) => return Err(FlagsError::Write { app: app.clone(), source }),
            }
        }
        Err(FlagsError::Contended { app: app.clone(), tries: TRIES })
    }

    /// Under the same operation id the store does it once, however often it is asked.
    async fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        let mut result = self.store.commit(txn.clone()).await;
        for _ in 1..UNKNOWN_TRIES {
            let Err(CommitError::Unknown { .. }) = result else { break };
            result = self.store.commit(txn.clone()).await;
        }
        result
    }
}

/// By chance, so that those who met once do not meet again.
fn pause(nth: u32) -> Duration {
    let [chance] = random_bytes::<1>();
    PAUSE * nth.min(8) * u32::from(chance) / 255
}

/// The revision of the document, which is written first, and those of the events after it.
fn written(committed: &Committed) -> (Rev, Vec<Rev>) {
    match committed.revs.split_first() {
        Some((document, events)) => (*document, events.to_vec()),
        None => (committed.rev, Vec::new()),
    }
}

fn changed(
    app: &AppName,
    key: &FlagKey,
    set: &FlagSet,
    events: &[Rev],
) -> Result<Changed, FlagsError> {
    let flag = set.flags.get(key).cloned();
    let no_flag = || FlagsError::NoFlag { app: app.clone(), key: key.clone() };
    Ok(Changed { flag: flag.ok_or_else(no_flag)?, event: events.last().copied() })
}

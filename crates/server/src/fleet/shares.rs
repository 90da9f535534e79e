//! What one machine may have open at once: so many links and so many questions for an artifact, of
//! which a few are answered at a time. None takes what the others need, whatever runs on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use toehold_core::model::MachineName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many links one machine may have, and for how many artifacts it may ask at once: one of each
/// is in use, and the others are of a line that broke and was not found dead yet.
const OF_ONE: usize = 8;

/// How many artifacts may be on their way at once: more would only share the same cable.
const TRANSFERS: usize = 16;

/// How many of them may be on their way to one machine.
const TRANSFERS_TO_ONE: usize = 2;

/// How long an artifact may wait for its turn. Whoever asked gives up a little later, and asks again.
const TURN_PATIENCE: Duration = Duration::from_secs(15);

/// What a connection of a machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Link,
    Fetch,
}

/// What every machine has open.
#[derive(Clone)]
pub(super) struct Shares {
    open: Arc<Mutex<BTreeMap<(MachineName, Use), Open>>>,
    transfers: Arc<Semaphore>,
}

struct Open {
    count: usize,
    transfers: Arc<Semaphore>,
}

/// One of what is open, for as long as this is held.
pub(super) struct Share {
    all: Shares,
    of: (MachineName, Use),
    transfers: Arc<Semaphore>,
}

/// That an artifact is on its way, for as long as this is held.
pub(super) struct Turn {
    _mine: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Shares {
    fn default() -> Self {
        Self { open: Arc::default(), transfers: Arc::new(Semaphore::new(TRANSFERS)) }
    }
}

impl Shares {
    /// One more; `None` where the machine has too many.
    pub(super) fn enter(&self, machine: &MachineName, what: Use) -> Option<Share> {
        let of = (machine.clone(), what);
        let mut all = self.lock();
        let open = all.entry(of.clone()).or_insert_with(|| Open {
            count: 0,
            transfers: Arc::new(Semaphore::new(TRANSFERS_TO_ONE)),
        });
        if open.count >= OF_ONE {
            return None;
        }
        open.count += 1;
        let transfers = Arc::clone(&open.transfers);
        drop(all);
        Some(Share { all: self.clone(), of, transfers })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(MachineName, Use), Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Waits until an artifact may be sent; `None` where that takes too long. Those of one machine
    /// wait for one another first, so that they stand in nobody's way.
    pub(super) async fn turn(&self) -> Option<Turn> {
        let both = async {
            let mine = Arc::clone(&self.transfers).acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.all.transfers).acquire_owned().await.ok()?;
            Some(Turn { _mine: mine, _of_all: of_all })
        };
        tokio::time::timeout(TURN_PATIENCE, both).await.ok().flatten()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        match all.get_mut(&self.of) {
            Some(open) if open.count > 1 => open.count -= 1,
            _ => {
                all.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str) -> MachineName {
        name.parse().expect("a machine's name")
    }

    #[test]
    fn one_machine_has_so_many_links_and_no_more_and_keeps_no_other_from_its_own() {
        let shares = Shares::default();
        let web1 = machine("web1");
        let links: Vec<_> = (0..100).filter_map(|_| shares.enter(&web1, Use::Link)).collect();
        let fetches: Vec<_> = (0..100).filter_map(|_| shares.enter(&web1, Use::Fetch)).collect();
        assert_eq!((links.len(), fetches.len()), (OF_ONE, OF_ONE));
        assert!(shares.enter(&machine("web2"), Use::Link).is_some());
        drop(links);
        assert!(shares.enter(&web1, Use::Link).is_some());
        drop(fetches);
        assert!(shares.lock().is_empty());
    }
}

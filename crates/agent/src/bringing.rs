//! Whose turn it is to be brought to this machine: one artifact once, and a few at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use toehold_core::model::Digest;
use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};

/// How many artifacts are brought at once. One that is slow, or cut again and again, holds up no
/// other; more would only share the same line.
const MOST: usize = 3;

/// Gives the turns.
#[derive(Debug)]
pub(crate) struct Bringing {
    room: Semaphore,
    /// Those that are brought or waited for; who holds the lock of one brings it.
    digests: Mutex<BTreeMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// Held while an artifact is brought.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _alone: OwnedMutexGuard<()>,
    _room: SemaphorePermit<'a>,
}

impl Default for Bringing {
    fn default() -> Self {
        Self { room: Semaphore::new(MOST), digests: Mutex::default() }
    }
}

impl Bringing {
    /// Waits until nobody else brings `artifact`, and then until there is room for one more.
    pub(crate) async fn turn(&self, artifact: &Digest) -> Turn<'_> {
        let alone = self.lock_of(artifact).lock_owned().await;
        // Taken second: who waits for the same artifact takes no room from others.
        let room = self.room.acquire().await.expect("it is never closed");
        Turn { _alone: alone, _room: room }
    }

    fn lock_of(&self, artifact: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        // Each change is one insertion or removal: there is no half-made state to be afraid of.
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.retain(|_, it| it.strong_count() > 0);
        if let Some(lock) = digests.get(artifact).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        digests.insert(artifact.clone(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::at_once;

    #[tokio::test]
    async fn one_artifact_is_brought_once_and_a_few_at_the_same_time() {
        let bringing = Bringing::default();
        let of = |name: &str| Digest::of(name.as_bytes());
        let (a, b, c, d) = (of("a"), of("b"), of("c"), of("d"));
        let first = at_once(bringing.turn(&a)).await.expect("nobody else is there");
        assert!(at_once(bringing.turn(&a)).await.is_none(), "one artifact was brought twice");
        let second = at_once(bringing.turn(&b)).await.expect("another one has its own turn");
        let third = at_once(bringing.turn(&c)).await.expect("a third one too");
        assert!(at_once(bringing.turn(&d)).await.is_none(), "there was no bound");
        drop(first);
        drop(at_once(bringing.turn(&d)).await.expect("there is room again"));
        drop(at_once(bringing.turn(&a)).await.expect("it may be brought again"));
        drop((second, third));
        drop(at_once(bringing.turn(&b)).await.expect("all are done"));
        assert_eq!(bringing.digests.lock().expect("nobody broke down").len(), 1, "they pile up");
    }
}

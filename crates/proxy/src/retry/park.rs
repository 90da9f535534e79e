//! A request waits for an instance to come back.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use crate::page::Page;
use crate::retry::Run;
use crate::route::Tried;

/// An instance that failed longer ago than this will hardly be back in a moment: whoever asks now
/// is told so at once.
const YOUNG: Duration = Duration::from_secs(10);

/// Between two rounds of tries where some instance seems well.
const PAUSE: Duration = Duration::from_millis(10);

impl Run<'_> {
    /// Waits until an instance may be there; then all may be tried anew. The page says that none
    /// came back in time, or that waiting makes no sense.
    pub(super) async fn park(&mut self) -> Result<(), Page> {
        let shared = &self.worker.shared;
        // From here on no change is missed: what came before is seen in the routes and the health
        // that are looked at below.
        let mut turn = shared.turn.subscribe();
        self.look()?;
        let until = self.begun + shared.limits.park.min(self.app.timeout);
        let parked = Parked::one_more(&self.worker.parked);
        if Instant::now() >= until
            || !self.app.has_just_failed(YOUNG)
            || self.worker.parked.get() > shared.limits.parked_per_thread
        {
            return Err(self.page);
        }
        if self.app.has_reached() {
            sleep(PAUSE).await;
        } else if !matches!(timeout_at(until.into(), turn.changed()).await, Ok(Ok(()))) {
            return Err(self.page);
        }
        drop(parked);
        self.tried = Tried::default();
        self.unsent = 0;
        self.look()
    }
}

/// A request that waits, counted while it does.
struct Parked<'a>(&'a Cell<usize>);

impl<'a> Parked<'a> {
    fn one_more(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

//! The clock: where the control plane asks what time it is, so that a test can say it.
//!
//! Nothing is ordered by time (the store's revisions do that), and nothing is measured by it that a
//! clock set back or forth could break: deadlines within the process use the runtime's monotonic
//! timer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use toehold_core::time::Timestamp;
use tokio::sync::watch;

/// Says what time it is, and waits for a time.
pub trait Clock: Send + Sync {
    /// The time now, in microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> u64;

    /// Ends once `at` has come. It may be polled by several at once, and dropped at any time.
    fn wait_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;

    /// The time now, in milliseconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.now_us() / 1_000)
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The longest single wait: the machine's clock may be set in between, and a laptop may sleep.
    const LOOK_AGAIN: Duration = Duration::from_secs(15);
}

impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX)
    }

    fn wait_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(Self::LOOK_AGAIN)).await;
            }
        })
    }
}

/// A clock that stands still until it is set: for tests and for the pretend world.
#[derive(Debug)]
pub struct SetClock {
    now_us: watch::Sender<u64>,
}

impl SetClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { now_us: watch::Sender::new(now.as_ms().saturating_mul(1_000)) }
    }

    /// Sets it, also to an earlier time.
    pub fn set(&self, now: Timestamp) {
        self.now_us.send_modify(|now_us| *now_us = now.as_ms().saturating_mul(1_000));
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        let by_us = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        self.now_us.send_modify(|now_us| *now_us = now_us.saturating_add(by_us));
    }
}

impl Clock for SetClock {
    fn now_us(&self) -> u64 {
        *self.now_us.borrow()
    }

    fn wait_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut now_us = self.now_us.subscribe();
        Box::pin(async move {
            // The sender lives as long as the clock that is borrowed here.
            let _ = now_us.wait_for(|now_us| now_us / 1_000 >= at.as_ms()).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_set_clock_wakes_who_waits_for_the_time_it_is_set_to() {
        let clock = SetClock::at(Timestamp::from_ms(1_000));
        let waiting = clock.wait_until(Timestamp::from_ms(61_000));
        clock.advance(Duration::from_mins(1));
        waiting.await;
        assert_eq!((clock.now(), clock.now_us()), (Timestamp::from_ms(61_000), 61_000_000));
    }

    #[tokio::test]
    async fn a_time_that_is_past_is_not_waited_for() {
        SystemClock.wait_until(Timestamp::from_ms(1)).await;
    }
}

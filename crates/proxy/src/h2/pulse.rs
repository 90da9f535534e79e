//! Whether a visitor is still there: who waits for answers is asked from time to time.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::h2::{Ping, PingPong};

/// How long a visitor who waits for answers is left alone, and how long it may take to say that it
/// is still there.
const ASK_AFTER: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(20);

/// The pulse of a connection.
pub(super) struct Pulse {
    pings: Option<PingPong>,
    /// When it was asked last, or answered.
    felt: Instant,
    asked: bool,
}

impl Pulse {
    /// It was there just now.
    pub(super) fn new(pings: Option<PingPong>) -> Self {
        Self { pings, felt: Instant::now(), asked: false }
    }

    /// Looks at what was answered. The answer is when there is more to do.
    pub(super) fn next(&mut self, cx: &mut Context<'_>) -> Instant {
        let Some(pings) = self.pings.as_mut().filter(|_| self.asked) else {
            return self.felt + ASK_AFTER;
        };
        match pings.poll_pong(cx) {
            Poll::Pending => self.felt + ANSWER,
            // Where the connection broke off, that is heard elsewhere.
            Poll::Ready(_) => {
                (self.felt, self.asked) = (Instant::now(), false);
                self.felt + ASK_AFTER
            }
        }
    }

    /// Its time has come: asks, where somebody waits. `false`: it was asked and is not there.
    pub(super) fn beat(&mut self, now: Instant, waits: bool) -> bool {
        if self.asked {
            return false;
        }
        self.felt = now;
        if let Some(pings) = self.pings.as_mut().filter(|_| waits) {
            self.asked = pings.send_ping(Ping::opaque()).is_ok();
        }
        true
    }
}

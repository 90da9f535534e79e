//! A timer for a connection, moved only when it rings.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// Rings when a deadline has passed. It is armed for the earliest deadline there was, so that what
/// goes on quickly, each time with a later one, costs no timer at all.
#[derive(Debug)]
pub(crate) struct Watch {
    timer: Pin<Box<Sleep>>,
    armed: Instant,
}

impl Watch {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { timer: Box::pin(sleep_until(deadline.into())), armed: deadline }
    }

    /// Ready once this moment has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if deadline < self.armed {
            self.arm(deadline);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, deadline: Instant) {
        self.armed = deadline;
        self.timer.as_mut().reset(deadline.into());
    }
}

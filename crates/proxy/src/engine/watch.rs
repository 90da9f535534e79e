//! Whether a connection takes too long, judged without a timer for each request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::limits::Limits;
use crate::visit::Pulse;

/// The longest a closed connection is read on so that the visitor gets to read the answer.
const LINGER: Duration = Duration::from_secs(2);

/// What should become of a connection that took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has nothing to say: end it politely.
    Close,
    /// Its head does not come to an end.
    RefuseHead,
    /// Its body does not go on.
    BreakBody,
    /// It is stuck: drop it.
    Drop,
}

/// Watches one connection. The timer is armed for the earliest deadline there could be and moved
/// only when it rings, so that a request that is quick costs no timer at all.
pub(super) struct Watch {
    pulse: Arc<Pulse>,
    limits: Limits,
    timer: Pin<Box<Sleep>>,
    armed_ms: u64,
}

impl Watch {
    pub(super) fn new(pulse: Arc<Pulse>, limits: Limits) -> Self {
        let (deadline, _) = judge(&pulse, &limits);
        let timer = Box::pin(sleep_until(Instant::from_std(pulse.instant(deadline))));
        Self { pulse, limits, timer, armed_ms: deadline }
    }

    /// Ready when something must be done. It is asked after the connection was, each time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        loop {
            let (deadline, verdict) = judge(&self.pulse, &self.limits);
            if deadline < self.armed_ms {
                self.arm(deadline);
            }
            ready!(self.timer.as_mut().poll(cx));
            if deadline <= self.pulse.now_ms() {
                // Asked again soon, in case the verdict does not end the connection.
                self.arm(self.pulse.now_ms() + 1_000);
                return Poll::Ready(verdict);
            }
            self.arm(deadline);
        }
    }

    fn arm(&mut self, deadline_ms: u64) {
        self.armed_ms = deadline_ms;
        self.timer.as_mut().reset(Instant::from_std(self.pulse.instant(deadline_ms)));
    }
}

/// When the connection will have taken too long as things stand, and what then.
fn judge(pulse: &Pulse, limits: &Limits) -> (u64, Verdict) {
    let after = |since: u64, limit: Duration| {
        since.saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
    };
    if let Some(since) = pulse.lingers_since_ms() {
        (after(since, LINGER), Verdict::Drop)
    } else if let Some(since) = pulse.write_blocked_since_ms() {
        (after(since, limits.write_stall), Verdict::Drop)
    } else if let Some(since) = pulse.body_wanted_since_ms() {
        (after(since, limits.upload_gap), Verdict::BreakBody)
    } else if pulse.is_busy() {
        (after(pulse.last_io_ms(), limits.answer_gap), Verdict::Drop)
    } else if let Some(since) = pulse.head_since_ms() {
        (after(since, limits.head), Verdict::RefuseHead)
    } else if let Some(since) = pulse.stops_since_ms() {
        (after(since, limits.farewell), Verdict::Close)
    } else {
        (after(pulse.last_io_ms(), limits.idle), Verdict::Close)
    }
}

//! What is going on with one connection, told by whoever knows to whoever must judge it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::gate::Refusal;

/// The state of a connection. One thread alone uses it; the fields are atomic only because hyper
/// wants a socket that could be sent to another thread.
#[derive(Debug)]
pub(crate) struct Pulse {
    begun: Instant,
    last_io_ms: AtomicU64,
    head_since_ms: AtomicU64,
    body_wanted_since_ms: AtomicU64,
    write_blocked_since_ms: AtomicU64,
    lingers_since_ms: AtomicU64,
    stops_since_ms: AtomicU64,
    busy: AtomicU32,
    upgrade: AtomicU64,
    decided: AtomicBool,
    order: AtomicU8,
    reset: AtomicBool,
    refused: OnceLock<(u64, Refusal)>,
}

/// A connection is busy with a request for as long as this lives.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Pulse>);

impl Busy {
    /// From now on.
    pub(crate) fn new(pulse: &Arc<Pulse>) -> Self {
        pulse.busy.fetch_add(1, Ordering::Relaxed);
        Self(pulse.clone())
    }

    /// The connection must not end as if all had been said.
    pub(crate) fn reset_at_end(&self) {
        self.0.reset_at_end();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
        self.0.moved();
    }
}

/// Not since any time.
const NEVER: u64 = 0;

/// What the socket should do at the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    None,
    /// Refuse the head that does not come to its end.
    RefuseHead,
    /// Give up the body that does not go on.
    BreakBody,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            last_io_ms: AtomicU64::new(1),
            head_since_ms: AtomicU64::new(NEVER),
            body_wanted_since_ms: AtomicU64::new(NEVER),
            write_blocked_since_ms: AtomicU64::new(NEVER),
            lingers_since_ms: AtomicU64::new(NEVER),
            stops_since_ms: AtomicU64::new(NEVER),
            busy: AtomicU32::new(0),
            upgrade: AtomicU64::new(0),
            decided: AtomicBool::new(false),
            order: AtomicU8::new(0),
            reset: AtomicBool::new(false),
            refused: OnceLock::new(),
        }
    }

    /// Milliseconds since the connection began, counted from 1.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// When that moment is, for a timer.
    pub(crate) fn instant(&self, ms: u64) -> Instant {
        self.begun + std::time::Duration::from_millis(ms.saturating_sub(1))
    }

    /// Bytes went in or out.
    pub(crate) fn moved(&self) {
        self.last_io_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn last_io_ms(&self) -> u64 {
        self.last_io_ms.load(Ordering::Relaxed)
    }

    /// Whether a head has begun to arrive and is not whole.
    pub(crate) fn set_head_open(&self, open: bool) {
        self.since(&self.head_since_ms, open);
    }

    /// Whether the next piece of a body is waited for.
    pub(crate) fn set_body_wanted(&self, wanted: bool) {
        self.since(&self.body_wanted_since_ms, wanted);
    }

    /// Whether the visitor is the one who is waited for.
    pub(crate) fn wants_body(&self) -> bool {
        self.body_wanted_since_ms().is_some()
    }

    /// Whether the visitor takes in nothing.
    pub(crate) fn set_write_blocked(&self, blocked: bool) {
        self.since(&self.write_blocked_since_ms, blocked);
    }

    /// Everything was said; what still comes in is thrown away for a moment.
    pub(crate) fn set_lingers(&self) {
        self.since(&self.lingers_since_ms, true);
    }

    /// The proxy was asked to stop.
    pub(crate) fn set_stops(&self) {
        self.since(&self.stops_since_ms, true);
    }

    fn since(&self, moment: &AtomicU64, holds: bool) {
        let was = moment.load(Ordering::Relaxed);
        match (holds, was) {
            (true, NEVER) => moment.store(self.now_ms(), Ordering::Relaxed),
            (false, 1..) => moment.store(NEVER, Ordering::Relaxed),
            _ => {}
        }
    }

    pub(crate) fn head_since_ms(&self) -> Option<u64> {
        some(&self.head_since_ms)
    }

    pub(crate) fn body_wanted_since_ms(&self) -> Option<u64> {
        some(&self.body_wanted_since_ms)
    }

    pub(crate) fn write_blocked_since_ms(&self) -> Option<u64> {
        some(&self.write_blocked_since_ms)
    }

    pub(crate) fn lingers_since_ms(&self) -> Option<u64> {
        some(&self.lingers_since_ms)
    }

    pub(crate) fn stops_since_ms(&self) -> Option<u64> {
        some(&self.stops_since_ms)
    }

    /// Whether a request is being answered.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Says whether the `index`-th request, counted from 0, was answered with an upgrade.
    pub(crate) fn decide_upgrade(&self, index: u64, agreed: bool) {
        self.upgrade.store((index + 1) << 1 | u64::from(agreed), Ordering::Relaxed);
        self.decided.store(true, Ordering::Relaxed);
    }

    /// Whether an upgrade was decided since this was asked last: the socket has something to do.
    pub(crate) fn take_decided(&self) -> bool {
        self.decided.load(Ordering::Relaxed) && self.decided.swap(false, Ordering::Relaxed)
    }

    /// Whether the `index`-th request was answered with an upgrade; `None`: not yet answered.
    pub(crate) fn upgrade(&self, index: u64) -> Option<bool> {
        let said = self.upgrade.load(Ordering::Relaxed);
        (said >> 1 == index + 1).then_some(said & 1 == 1)
    }

    pub(crate) fn give_order(&self, order: Order) {
        let number = match order {
            Order::None => 0,
            Order::RefuseHead => 1,
            Order::BreakBody => 2,
        };
        self.order.store(number, Ordering::Relaxed);
    }

    pub(crate) fn take_order(&self) -> Order {
        if self.order.load(Ordering::Relaxed) == 0 {
            return Order::None;
        }
        match self.order.swap(0, Ordering::Relaxed) {
            1 => Order::RefuseHead,
            2 => Order::BreakBody,
            _ => Order::None,
        }
    }

    /// The connection must not end as if all had been said.
    pub(crate) fn reset_at_end(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_reset_at_end(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }

    /// The `index`-th request of the connection, counted from 0, was not let in.
    pub(crate) fn refuse(&self, index: u64, refusal: Refusal) {
        // Only the first counts: nothing is read behind it.
        let _ = self.refused.set((index, refusal));
    }

    /// Whether the `index`-th request was not let in, and why.
    pub(crate) fn refusal(&self, index: u64) -> Option<Refusal> {
        self.refused.get().filter(|(at, _)| *at == index).map(|(_, refusal)| *refusal)
    }
}

fn some(moment: &AtomicU64) -> Option<u64> {
    Some(moment.load(Ordering::Relaxed)).filter(|&ms| ms != NEVER)
}

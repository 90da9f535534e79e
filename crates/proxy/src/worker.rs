//! One thread of the proxy, and what all of them share.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Cache};
use toehold_core::balance;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::channels::Channels;
use crate::clock::Dates;
use crate::guests::Guests;
use crate::handover::Patience;
use crate::instance::{Doubt, Instance};
use crate::limits::Limits;
use crate::route::Table;
use crate::tls::Shown;
use crate::upstream::Pools;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The routes in force: one pointer, read at each request.
    pub(crate) table: Arc<ArcSwap<Table>>,
    /// Rises when routes change or an instance is taken back: who waits for one looks again.
    pub(crate) turn: watch::Sender<u64>,
    /// The health of an instance changed: report it.
    pub(crate) health: Notify,
    /// Routes were taken in.
    pub(crate) routed: Notify,
    /// The proxy was asked to stop.
    pub(crate) stop: CancellationToken,
    /// Every thread has ended: what is left to say is said.
    pub(crate) over: CancellationToken,
    /// Whether another process takes the visitors.
    pub(crate) drains: watch::Receiver<bool>,
    /// How long it drains.
    pub(crate) patience: Patience,
    /// The access log, where there is one.
    pub(crate) access: Option<Access>,
    /// Which threads have drained.
    drained: Box<[AtomicBool]>,
    pub(crate) limits: Limits,
    /// The certificates in force.
    pub(crate) shown: Arc<Shown>,
    /// The port of TLS, where there is one.
    pub(crate) tls_port: Option<u16>,
    /// Held while it is decided whether one more instance is passed over that can be reached: two
    /// at once would pass over too many.
    doubting: Mutex<()>,
}

impl Shared {
    /// For so many threads.
    pub(crate) fn new(
        threads: usize,
        limits: &Limits,
        tls_port: Option<u16>,
        stop: CancellationToken,
        (drains, patience): (watch::Receiver<bool>, Patience),
    ) -> Self {
        Self {
            shown: Arc::default(),
            tls_port,
            table: Arc::default(),
            turn: watch::Sender::new(0),
            health: Notify::new(),
            routed: Notify::new(),
            stop,
            over: CancellationToken::new(),
            drains,
            patience,
            access: None,
            drained: (0..threads).map(|_| AtomicBool::new(false)).collect(),
            limits: *limits,
            doubting: Mutex::default(),
        }
    }

    /// Whether a thread has drained. When all have, nothing is left to do.
    pub(crate) fn drained(&self, thread: usize, has: bool) {
        self.drained[thread].store(has, Ordering::SeqCst);
        if has && self.drained.iter().all(|thread| thread.load(Ordering::SeqCst)) {
            self.stop.cancel();
        }
    }

    /// Says that requests which wait for an instance may find one now.
    pub(crate) fn next_turn(&self) {
        self.turn.send_modify(|turn| *turn += 1);
    }

    /// Sets an instance aside because it failed.
    pub(crate) fn set_aside(&self, instance: &Instance, why: &str) {
        if instance.set_aside(why) {
            tracing::warn!(
                instance.id = %instance.id,
                instance.addr = %instance.addr,
                "{} is set aside: {why}", instance.id
            );
            self.health.notify_one();
        }
    }

    /// An instance failed in a way that is no proof that it is dead.
    pub(crate) fn falters(&self, instance: &Instance, how: &str) {
        let in_a_row = instance.falters();
        if in_a_row.is_multiple_of(balance::FAILURES_IN_A_ROW) {
            self.doubt(instance, Doubt::Failing, &format!("{in_a_row} times in a row {how}"));
        }
    }

    /// Sets an instance aside that can be reached, unless half of its release would then be aside.
    pub(crate) fn doubt(&self, instance: &Instance, doubt: Doubt, why: &str) {
        let _alone = self.doubting();
        let table = self.table.load();
        let Some(arm) = table.arms().find(|arm| arm.holds(instance.key)) else { return };
        let aside = arm.instances.iter().filter(|it| it.is_aside()).count();
        if balance::may_eject(arm.instances.len(), aside) && instance.doubt(doubt, why) {
            tracing::warn!(
                instance.id = %instance.id,
                instance.addr = %instance.addr,
                "{} is passed over for a while: {why}", instance.id
            );
            self.health.notify_one();
        }
    }

    /// Takes instances back that are only doubted, where more than half of a release is set aside:
    /// others may have died or left since.
    pub(crate) fn trust_again(&self) {
        let _alone = self.doubting();
        for arm in self.table.load().arms() {
            let aside = arm.instances.iter().filter(|it| it.is_aside()).count();
            let doubted: Vec<_> = arm.instances.iter().filter(|it| it.is_doubted()).collect();
            let count = balance::too_many(arm.instances.len(), aside, doubted.len());
            for instance in doubted.into_iter().take(count) {
                self.take_back(instance);
            }
        }
    }

    fn doubting(&self) -> MutexGuard<'_, ()> {
        self.doubting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an instance back, where it is set aside.
    pub(crate) fn take_back(&self, instance: &Instance) {
        if instance.take_back() {
            self.taken_back(instance);
        }
    }

    /// An instance was taken back.
    pub(crate) fn taken_back(&self, instance: &Instance) {
        tracing::info!(instance.id = %instance.id, "{} is back", instance.id);
        self.health.notify_one();
        self.next_turn();
    }
}

/// How many bytes are read at once.
const READ_BYTES: usize = 64 * 1024;

/// One thread: it shares nothing but [`Shared`] with the others.
pub(crate) struct Worker {
    /// Which cell of a meter is its own.
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pools: Rc<Pools>,
    pub(crate) channels: Channels,
    pub(crate) guests: Rc<Guests>,
    /// Requests that wait for an instance to come back.
    pub(crate) parked: Cell<usize>,
    pub(crate) dates: Dates,
    scratch: RefCell<Scratch>,
    table: RefCell<Cache<Arc<ArcSwap<Table>>, Arc<Table>>>,
}

/// Room that whoever is at work uses: what cannot go on at once is copied out of it. So a connection
/// that waits holds no buffer, and what is at work stays near the processor.
pub(crate) struct Scratch {
    /// What was read just now.
    pub(crate) read: Box<[u8]>,
    /// What is to be said.
    pub(crate) said: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(index: usize, shared: Arc<Shared>) -> Self {
        let scratch = Scratch { read: vec![0; READ_BYTES].into(), said: Vec::new() };
        Self {
            index,
            pools: Rc::new(Pools::new(&shared.limits)),
            channels: Channels::new(&shared.limits),
            guests: Rc::default(),
            parked: Cell::new(0),
            dates: Dates::default(),
            scratch: RefCell::new(scratch),
            table: RefCell::new(Cache::new(shared.table.clone())),
            shared,
        }
    }

    /// The routes in force at this moment.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.borrow_mut().load().clone()
    }

    /// The room of the thread, until it is let go: never over a wait.
    pub(crate) fn scratch(&self) -> RefMut<'_, Scratch> {
        let mut scratch = self.scratch.borrow_mut();
        scratch.said.clear();
        scratch
    }
}

//! One thread of the proxy, and what all of them share.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Cache};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::channels::Channels;
use crate::clock::Dates;
use crate::guests::Guests;
use crate::handover::Patience;
use crate::instance::Instance;
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

    /// Takes an instance back that answers again.
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

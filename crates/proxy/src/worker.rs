//! One thread of the proxy, and what all of them share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::{ArcSwap, Cache};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::instance::Instance;
use crate::limits::Limits;
use crate::route::Table;
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
    /// The proxy was asked to stop.
    pub(crate) stop: CancellationToken,
    pub(crate) limits: Limits,
}

impl Shared {
    pub(crate) fn new(limits: Limits, stop: CancellationToken) -> Self {
        Self {
            table: Arc::default(),
            turn: watch::Sender::new(0),
            health: Notify::new(),
            stop,
            limits,
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

/// One thread: it shares nothing but [`Shared`] with the others.
pub(crate) struct Worker {
    /// Which cell of a meter is its own.
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pools: Rc<Pools>,
    /// Connections of visitors.
    pub(crate) connections: Arc<AtomicUsize>,
    /// Requests that wait for an instance to come back.
    pub(crate) parked: Cell<usize>,
    table: RefCell<Cache<Arc<ArcSwap<Table>>, Arc<Table>>>,
}

impl Worker {
    pub(crate) fn new(index: usize, shared: Arc<Shared>) -> Self {
        Self {
            index,
            pools: Rc::new(Pools::new(&shared.limits)),
            connections: Arc::new(AtomicUsize::new(0)),
            parked: Cell::new(0),
            table: RefCell::new(Cache::new(shared.table.clone())),
            shared,
        }
    }

    /// The routes in force at this moment.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.borrow_mut().load().clone()
    }
}

//! Routes come in: looked at, put in force, answered, kept.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use toehold_core::time::Timestamp;
use toehold_core::wire::Order;
use toehold_core::wire::proxy::{FromProxy, ProxyReport, Routes};
use toehold_host::durable;

use crate::access::Access;
use crate::clock;
use crate::link::certified::Certified;
use crate::registry::Registry;
use crate::route::check;
use crate::worker::Shared;

/// The name of the file the last good routes are kept in.
const FILE: &str = "routes.json";

/// Where routes come in.
pub(crate) struct Desk {
    pub(crate) shared: Arc<Shared>,
    registry: Rc<RefCell<Registry>>,
    file: PathBuf,
    started_at: Timestamp,
    /// The routes in force, and when they came to be.
    applied: RefCell<Routes>,
    applied_at_us: Cell<u64>,
    /// Whether they are in the file as well.
    kept: Cell<bool>,
    /// Whether routes came since this was asked last.
    talked: Cell<bool>,
    pub(crate) certified: Certified,
}

impl Desk {
    /// With the routes that were in force last put in force again. A file that cannot be read is
    /// no reason not to start: the control plane has the routes.
    pub(crate) fn open(
        shared: Arc<Shared>,
        registry: Rc<RefCell<Registry>>,
        dir: &std::path::Path,
    ) -> Self {
        let desk = Self {
            registry,
            file: dir.join(FILE),
            started_at: clock::now(),
            applied: RefCell::default(),
            applied_at_us: Cell::new(0),
            kept: Cell::new(true),
            talked: Cell::new(false),
            certified: Certified::open(shared.shown.clone(), dir),
            shared,
        };
        match durable::load::<Routes>(&desk.file) {
            Ok(Some(routes)) => match desk.apply(routes) {
                Ok(()) => tracing::info!("the routes of before are in force again"),
                Err(why) => tracing::error!("the routes that were kept do not hold: {why}"),
            },
            Ok(None) => {}
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the routes of before cannot be read; waiting for the control plane's"
            ),
        }
        desk.kept.set(true);
        desk
    }

    /// Takes routes from the control plane: the answer says whether they are in force.
    pub(crate) fn take(&self, routes: Routes) -> FromProxy {
        self.shared.routed.notify_one();
        let order = routes.order;
        let applied = self.applied.borrow().order;
        let refusal = match order.cmp(&applied) {
            std::cmp::Ordering::Less => Some(format!(
                "these routes are older ({}.{}) than those in force ({}.{})",
                order.epoch, order.rev, applied.epoch, applied.rev
            )),
            std::cmp::Ordering::Equal if self.applied_at_us.get() > 0 => (*self.applied.borrow()
                != routes)
                .then(|| "other routes with the same number are in force".to_owned()),
            _ => self.apply(routes).err(),
        };
        match refusal {
            None => FromProxy::Applied { order, at_us: self.applied_at_us.get() },
            Some(why) => {
                tracing::error!("routes were refused: {why}; those of before stay in force");
                FromProxy::Refused { order, why }
            }
        }
    }

    /// The control plane said something that could be understood.
    pub(crate) fn hears(&self) {
        self.talked.set(true);
    }

    /// Whether the control plane has said anything that could be understood since this was asked
    /// last.
    pub(crate) fn has_talked(&self) -> bool {
        self.talked.take()
    }

    fn apply(&self, routes: Routes) -> Result<(), String> {
        let key = check(&routes)?;
        let table = self.registry.borrow_mut().table(&routes, key);
        self.shared.table.store(Arc::new(table));
        self.applied_at_us.set(clock::now_us());
        self.shared.next_turn();
        *self.applied.borrow_mut() = routes;
        self.kept.set(false);
        Ok(())
    }

    /// Writes the routes and the certificates in force to their files. It comes after the answer: a
    /// disk that is slow delays no change of traffic.
    pub(crate) fn keep(&self) {
        // Another process keeps them in the same place where this one drains.
        if *self.shared.drains.borrow() {
            return;
        }
        self.certified.keep();
        if self.kept.replace(true) {
            return;
        }
        if let Err(error) = durable::save(&self.file, &*self.applied.borrow()) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the routes in force could not be kept; a restart would begin with older ones"
            );
            self.kept.set(false);
        }
    }

    /// What was counted so far.
    pub(crate) fn report(&self) -> ProxyReport {
        let mut report = ProxyReport {
            applied: self.order(),
            started_at: self.started_at,
            access_lines_dropped: self.shared.access.as_ref().map_or(0, Access::dropped),
            ..ProxyReport::default()
        };
        let mut registry = self.registry.borrow_mut();
        registry.forget();
        registry.read(&mut report);
        report
    }

    fn order(&self) -> Order {
        self.applied.borrow().order
    }
}

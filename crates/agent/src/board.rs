//! What is said to the control plane: each room writes its part here, the link reads the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use toehold_core::model::{InstanceId, InstancePhase, InstanceStatus, Reading};
use toehold_core::time::Timestamp;
use toehold_core::wire::Order;
use toehold_core::wire::agent::{MachineReading, Report};
use tokio::sync::Notify;

/// The state of everything on this machine, as far as others may know it.
#[derive(Debug, Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether it is known what should run here; before, silence is better than "nothing runs".
    known: bool,
    applied: Order,
    machine: MachineReading,
    instances: BTreeMap<InstanceId, InstanceStatus>,
    /// Ended and not placed any more: said once more, then forgotten.
    leaving: BTreeSet<InstanceId>,
}

impl Board {
    /// A placement is in force.
    pub(crate) fn apply(&self, order: Order) {
        let mut inner = self.lock();
        inner.known = true;
        inner.applied = order;
        drop(inner);
        self.changed.notify_one();
    }

    /// How an instance is, now that something changed.
    pub(crate) fn post(&self, status: InstanceStatus) {
        let mut inner = self.lock();
        inner.leaving.remove(&status.id);
        inner.instances.insert(status.id.clone(), status);
        drop(inner);
        self.changed.notify_one();
    }

    /// How an instance is, in a number that changes all the time: said with the next report.
    pub(crate) fn note(&self, id: &InstanceId, change: impl FnOnce(&mut InstanceStatus)) {
        if let Some(status) = self.lock().instances.get_mut(id) {
            change(status);
        }
    }

    /// The last reading of an instance.
    pub(crate) fn reading(&self, id: &InstanceId) -> Option<Reading> {
        self.lock().instances.get(id)?.reading
    }

    /// Whether nothing runs any more.
    pub(crate) fn all_stopped(&self) -> bool {
        let ended = |it: &InstanceStatus| it.run.is_none() && it.phase == InstancePhase::Stopped;
        self.lock().instances.values().all(ended)
    }

    /// An instance has ended and is not placed here any more.
    pub(crate) fn leave(&self, id: &InstanceId) {
        self.lock().leaving.insert(id.clone());
        self.changed.notify_one();
    }

    /// What the machine uses.
    pub(crate) fn measure(&self, machine: MachineReading) {
        self.lock().machine = machine;
    }

    /// Returns once something changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The whole, and the instances that may be forgotten once it was sent.
    pub(crate) fn report(&self, at: Timestamp) -> Option<(Report, Vec<InstanceId>)> {
        let inner = self.lock();
        if !inner.known {
            return None;
        }
        let report = Report {
            at,
            applied: inner.applied,
            instances: inner.instances.values().cloned().collect(),
            machine: inner.machine,
        };
        Some((report, inner.leaving.iter().cloned().collect()))
    }

    /// These were said once more.
    pub(crate) fn forget(&self, ids: &[InstanceId]) {
        let mut inner = self.lock();
        for id in ids {
            if inner.leaving.remove(id) {
                inner.instances.remove(id);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is one assignment: there is no half-made state to be afraid of.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

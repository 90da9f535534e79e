//! A request in flight: counted from its beginning until its answer is through.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::meter::{Meter, count};

/// A request at an instance. Dropped when the last byte of the answer, or of the upgraded
/// connection, is through.
#[derive(Debug)]
pub(crate) struct Flight {
    meter: Arc<Meter>,
    thread: usize,
}

impl Flight {
    /// A request begins at this moment, in microseconds since 1970; `None` where that tells nobody
    /// anything.
    pub(crate) fn begin(meter: &Arc<Meter>, thread: usize, at_us: Option<u64>) -> Self {
        let cell = &meter.cells[thread];
        count(&cell.started);
        if let Some(at_us) = at_us {
            cell.last_started_us.store(at_us, Ordering::Relaxed);
        }
        Self { meter: meter.clone(), thread }
    }

    /// It got not all of its answer.
    pub(crate) fn failed(&self) {
        self.meter.failed(self.thread);
    }

    /// So many bytes were sent to the instance.
    pub(crate) fn sent(&self, bytes: u64) {
        self.meter.sent(self.thread, bytes);
    }

    /// So many bytes came from it.
    pub(crate) fn came(&self, bytes: usize) {
        self.meter.came(self.thread, bytes);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        count(&self.meter.cells[self.thread].ended);
    }
}

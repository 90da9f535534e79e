//! What is counted of an app: requests that no instance answered, and how many may be repeated.

use std::sync::atomic::{AtomicU64, Ordering};

use toehold_core::model::AppName;
use toehold_core::wire::proxy::RefusedCounter;

use crate::meter::count;

/// What the proxy itself may answer to a request of an app.
const STATUSES: [u16; 7] = [400, 408, 413, 421, 502, 503, 504];

/// A repetition costs so many parts; each request earns one: a fifth may be repeated.
const COST: u64 = 5;
/// Repetitions that are free at the start.
const FREE: u64 = 10;
/// The most repetitions that can be saved up. It covers the requests that are in flight at a busy
/// instance when it dies; more would be a storm.
const MOST: u64 = 1_000;

/// Counters of one app.
#[derive(Debug)]
pub(crate) struct AppMeter {
    cells: Box<[Cell]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Cell {
    refused: [AtomicU64; STATUSES.len()],
    budget: AtomicU64,
}

impl AppMeter {
    /// For so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        let cell = || Cell { refused: Default::default(), budget: AtomicU64::new(FREE * COST) };
        Self { cells: (0..threads).map(|_| cell()).collect() }
    }

    /// The proxy itself answered with this status.
    pub(crate) fn refused(&self, thread: usize, status: u16) {
        if let Some(at) = STATUSES.iter().position(|&it| it == status) {
            count(&self.cells[thread].refused[at]);
        }
    }

    /// A request came: it earns a part of a repetition.
    pub(crate) fn earn(&self, thread: usize) {
        let budget = &self.cells[thread].budget;
        let parts = budget.load(Ordering::Relaxed);
        if parts < MOST * COST {
            budget.store(parts + 1, Ordering::Relaxed);
        }
    }

    /// Whether one more request may be repeated; that one is paid for.
    pub(crate) fn spend(&self, thread: usize) -> bool {
        let budget = &self.cells[thread].budget;
        let parts = budget.load(Ordering::Relaxed);
        if parts < COST {
            return false;
        }
        budget.store(parts - COST, Ordering::Relaxed);
        true
    }

    /// Adds to `all` what was counted.
    pub(crate) fn read(&self, app: &AppName, all: &mut Vec<RefusedCounter>) {
        for (at, &status) in STATUSES.iter().enumerate() {
            let count: u64 =
                self.cells.iter().map(|cell| cell.refused[at].load(Ordering::Relaxed)).sum();
            if count > 0 {
                all.push(RefusedCounter { app: app.clone(), status, count });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_and_ten_may_be_repeated() {
        let meter = AppMeter::new(1);
        for _ in 0..100 {
            meter.earn(0);
        }
        let repeated = std::iter::repeat_with(|| meter.spend(0)).take_while(|&spent| spent).count();
        assert_eq!(repeated, 30);
    }
}

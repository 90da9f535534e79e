//! What is counted of an instance and of an app. Each thread counts in a cell of its own, so that
//! counting neither locks nor bounces a cache line; whoever reports adds the cells up.

mod app;
mod flight;

pub(crate) use app::AppMeter;
pub(crate) use flight::Flight;

use std::sync::atomic::{AtomicU64, Ordering};

use toehold_core::balance::{Load, Peak};
use toehold_core::model::{InstanceId, Number, Track};
use toehold_core::wire::proxy::{Histogram, InstanceCounters};

/// Counters of one instance, whatever addresses it had.
#[derive(Debug)]
pub(crate) struct Meter {
    cells: Box<[Cell]>,
    release: AtomicU64,
    is_canary: AtomicU64,
    /// Seldom enough to be counted by all threads in one place.
    ejections: AtomicU64,
}

/// The counters of one thread, on cache lines of their own.
#[derive(Debug)]
#[repr(align(128))]
struct Cell {
    started: AtomicU64,
    ended: AtomicU64,
    answered: [AtomicU64; 5],
    failed: AtomicU64,
    retried: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    last_started_us: AtomicU64,
    latency: [AtomicU64; Histogram::BUCKETS],
    /// A [`Peak`], as this thread saw it.
    peak_us: AtomicU64,
    peak_at_us: AtomicU64,
}

/// Adds one.
fn count(counter: &AtomicU64) {
    add(counter, 1);
}

/// Adds so many. Only one thread writes a cell, so a load and a store do: no locked instruction.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            started: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            answered: Default::default(),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            last_started_us: AtomicU64::new(0),
            latency: [const { AtomicU64::new(0) }; Histogram::BUCKETS],
            peak_us: AtomicU64::new(0),
            peak_at_us: AtomicU64::new(0),
        }
    }
}

impl Cell {
    fn peak(&self) -> Peak {
        Peak {
            us: self.peak_us.load(Ordering::Relaxed),
            at_us: self.peak_at_us.load(Ordering::Relaxed),
        }
    }
}

impl Meter {
    /// For so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            cells: (0..threads).map(|_| Cell::default()).collect(),
            release: AtomicU64::new(0),
            is_canary: AtomicU64::new(0),
            ejections: AtomicU64::new(0),
        }
    }

    /// Says what the instance is routed as.
    pub(crate) fn routed_as(&self, release: Number, track: Track) {
        self.release.store(release.0, Ordering::Relaxed);
        self.is_canary.store(u64::from(track == Track::Canary), Ordering::Relaxed);
    }

    /// Requests in flight now, over all threads.
    pub(crate) fn in_flight(&self) -> u64 {
        // What ended first, so that a request between the two reads is not counted as less than 0.
        let ended = self.sum(|cell| &cell.ended);
        self.sum(|cell| &cell.started).saturating_sub(ended)
    }

    /// How busy it is: what is in flight over all threads, and the latency this thread saw. The
    /// moment is in microseconds since 1970.
    pub(crate) fn load(&self, thread: usize, now_us: u64) -> Load {
        Load { in_flight: self.in_flight(), latency_us: self.cells[thread].peak().at(now_us) }
    }

    /// A request that began at this moment (microseconds since 1970) was answered with this status,
    /// so long after.
    pub(crate) fn answered(&self, thread: usize, status: u16, begun_us: u64, latency_us: u64) {
        let cell = &self.cells[thread];
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        count(&cell.answered[class]);
        count(&cell.latency[Histogram::bucket(latency_us)]);
        // Whoever fails at once is not quick.
        if status < 500 {
            let peak = cell.peak().seen(latency_us, begun_us.saturating_add(latency_us));
            cell.peak_us.store(peak.us, Ordering::Relaxed);
            cell.peak_at_us.store(peak.at_us, Ordering::Relaxed);
        }
    }

    /// A request got no answer, or not all of it.
    pub(crate) fn failed(&self, thread: usize) {
        count(&self.cells[thread].failed);
    }

    /// A request that failed here is tried elsewhere.
    pub(crate) fn retried(&self, thread: usize) {
        count(&self.cells[thread].retried);
    }

    /// So many bytes were sent to it.
    pub(crate) fn sent(&self, thread: usize, bytes: u64) {
        add(&self.cells[thread].bytes_in, bytes);
    }

    /// So many bytes came from it.
    pub(crate) fn came(&self, thread: usize, bytes: usize) {
        add(&self.cells[thread].bytes_out, bytes as u64);
    }

    /// It is set aside.
    pub(crate) fn ejected(&self) {
        self.ejections.fetch_add(1, Ordering::Relaxed);
    }

    /// How long answers took, over all threads.
    pub(crate) fn latency(&self) -> Histogram {
        Histogram((0..Histogram::BUCKETS).map(|i| self.sum(|cell| &cell.latency[i])).collect())
    }

    /// The sum of all threads, beside why the instance is set aside, and whether it can be reached
    /// all the same.
    pub(crate) fn read(
        &self,
        instance: InstanceId,
        set_aside: Option<String>,
        reached: bool,
    ) -> InstanceCounters {
        let is_canary = self.is_canary.load(Ordering::Relaxed) == 1;
        let last = self.cells.iter().map(|cell| cell.last_started_us.load(Ordering::Relaxed)).max();
        InstanceCounters {
            instance,
            release: Number(self.release.load(Ordering::Relaxed)),
            track: if is_canary { Track::Canary } else { Track::Stable },
            in_flight: self.in_flight(),
            started: self.sum(|cell| &cell.started),
            answered: std::array::from_fn(|class| self.sum(|cell| &cell.answered[class])),
            failed: self.sum(|cell| &cell.failed),
            retried: self.sum(|cell| &cell.retried),
            bytes_in: self.sum(|cell| &cell.bytes_in),
            bytes_out: self.sum(|cell| &cell.bytes_out),
            latency: self.latency(),
            last_started_us: last.unwrap_or(0),
            set_aside,
            reached,
            ejections: self.ejections.load(Ordering::Relaxed),
        }
    }

    fn sum(&self, counter: impl Fn(&Cell) -> &AtomicU64) -> u64 {
        self.cells.iter().map(|cell| counter(cell).load(Ordering::Relaxed)).sum()
    }
}

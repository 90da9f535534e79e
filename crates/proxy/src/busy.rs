//! What goes on over a connection of HTTP/2: its streams, counted.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// How many streams are open, and since when none is.
#[derive(Debug)]
pub(crate) struct Busy {
    streams: Cell<usize>,
    /// How many were opened in all.
    opened: Cell<u32>,
    /// One was given up because its visitor took nothing in.
    has_stalled: Cell<bool>,
    idle_since: Cell<Instant>,
}

impl Busy {
    /// None is open yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            streams: Cell::new(0),
            opened: Cell::new(0),
            has_stalled: Cell::new(false),
            idle_since: Cell::new(Instant::now()),
        })
    }

    /// Whether so many were opened.
    pub(crate) const fn has_had(&self, most: u32) -> bool {
        self.opened.get() >= most
    }

    /// Whether a visitor took nothing in for too long.
    pub(crate) const fn has_stalled(&self) -> bool {
        self.has_stalled.get()
    }

    /// Since when none is open.
    pub(crate) fn since_idle(&self) -> Option<Instant> {
        Some(self.idle_since.get()).filter(|_| self.streams.get() == 0)
    }

    /// One more is open.
    pub(crate) fn open(self: &Rc<Self>) -> Open {
        self.streams.set(self.streams.get() + 1);
        self.opened.set(self.opened.get().saturating_add(1));
        Open(self.clone())
    }
}

/// A stream that is open for as long as this lives.
#[derive(Debug)]
pub(crate) struct Open(Rc<Busy>);

impl Open {
    /// It is given up: its visitor takes nothing in. What was handed over before waits until the
    /// connection ends, so that is not for long any more.
    pub(crate) fn stalls(&self) {
        self.0.has_stalled.set(true);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

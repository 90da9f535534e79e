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
    /// Changes whenever something comes or goes.
    stirs: Cell<u64>,
    idle_since: Cell<Instant>,
}

impl Busy {
    /// None is open yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            streams: Cell::new(0),
            opened: Cell::new(0),
            stirs: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
        })
    }

    /// Whether so many were opened.
    pub(crate) const fn has_had(&self, most: u32) -> bool {
        self.opened.get() >= most
    }

    /// Another number whenever something came or went.
    pub(crate) const fn stirs(&self) -> u64 {
        self.stirs.get()
    }

    /// Since when none is open.
    pub(crate) fn since_idle(&self) -> Option<Instant> {
        Some(self.idle_since.get()).filter(|_| self.streams.get() == 0)
    }

    /// One more is open.
    pub(crate) fn open(self: &Rc<Self>) -> Open {
        self.streams.set(self.streams.get() + 1);
        self.opened.set(self.opened.get().saturating_add(1));
        self.stir();
        Open(self.clone())
    }

    fn stir(&self) {
        self.stirs.set(self.stirs.get().wrapping_add(1));
    }
}

/// A stream that is open for as long as this lives.
#[derive(Debug)]
pub(crate) struct Open(Rc<Busy>);

impl Open {
    /// Something came, or there was room for something that goes.
    pub(crate) fn stirs(&self) {
        self.0.stir();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

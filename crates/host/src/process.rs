//! Processes and their trees.
//!
//! A process is known by its id *and* the tick it started at ([`RunId`]); a tree by everything
//! that ties a process to the one that began it: session, process group, parents, a mark in its
//! environment, and its cgroup where there is one. A process that escapes from one of these is
//! still found by another.

mod gone;
mod launch;
mod program;
mod stat;
mod tree;

pub use gone::gone;
pub use launch::{Launch, LaunchError};
pub use program::program;
pub use stat::{Stat, boot_id, is_alive, marked, memory_bytes, run_id, stat, table, ticks_to_us};
pub use tree::{NotEnded, Tree};

use std::ffi::OsString;

/// A mark that a process and all its children carry in their environment: `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The variable.
    pub name: String,
    /// A value no other tree has.
    pub value: String,
}

impl Marker {
    fn pair(&self) -> (OsString, OsString) {
        (self.name.clone().into(), self.value.clone().into())
    }
}

#[cfg(test)]
mod tests;

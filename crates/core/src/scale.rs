//! How many instances stable should have, and why.
//!
//! Plain target tracking: as many as would bring the mean use to its target. Out when over-use was
//! sustained, in one at a time and only where the rest can carry it. What was not measured never
//! makes it smaller.

mod follow;
mod need;
mod why;

pub use follow::{Loads, follow};
pub use need::{Use, want};
pub use why::Why;

#[cfg(test)]
mod tests;

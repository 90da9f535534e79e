//! From a commit to an artifact, or to the reason why not.
//!
//! [`build`] checks a commit out into a folder of its own, runs the app's steps in it, and puts the
//! tree on the shelf under the digest of its bytes. Nothing it starts outlives it, whatever the
//! steps do; nothing of Toehold's own environment reaches them.

mod archive;
mod cache;
mod checkout;
mod fence;
mod git;
mod order;
mod output;
mod redact;
mod remove;
mod run;
mod shelf;
mod snapshot;
mod space;
mod step;
mod surroundings;
mod threads;
mod workshop;

pub mod report;

pub use checkout::{CheckoutError, files};
pub use order::{Dirs, Ending, Limits, Order, Progress};
pub use run::build;
pub use shelf::{Pruned, ShelfError, manifest_path, path as artifact_path, prune};
pub use surroundings::surroundings;
pub use workshop::{findings, log_path, sweep};

//! What the processes say to each other. Agent and proxy dial the control plane's Unix sockets;
//! each message is one line of JSON. What goes down is whole and level-triggered: whoever missed a
//! message has lost nothing once the next arrives. `(epoch, rev)` orders it, and nobody goes back
//! to a smaller pair.

pub mod agent;
pub mod api;
pub mod call;
pub mod certificates;
pub mod proxy;

use serde::{Deserialize, Serialize};

/// The place of a message in the order of all plans: the control plane's epoch (it grows with each
/// start or change of leader), then the plan's revision.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Order {
    /// The control plane's epoch.
    pub epoch: u64,
    /// The revision within the epoch.
    pub rev: u64,
}

/// The longest message on a link, in bytes; a longer one ends the link.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

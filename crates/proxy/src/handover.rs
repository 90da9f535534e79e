//! One process takes over from another: both hold the same listening sockets for a while, and
//! nobody who waits in a socket's queue is dropped.

use std::time::Duration;

use tokio::sync::{oneshot, watch};

/// What a proxy has to do with the one before it and the one behind it.
#[derive(Debug)]
pub struct Handover {
    /// `true` while another process takes new visitors from the same sockets: this one takes none,
    /// tells those it has that a request is their last, and ends when all is through, at the latest
    /// after [`Patience`].
    pub drains: watch::Receiver<bool>,
    /// Told once visitors are let in.
    pub ready: oneshot::Sender<()>,
    /// Another process serves until then: there is time to hear the newest routes first.
    pub takes_over: bool,
    /// How long it drains.
    pub patience: Patience,
}

/// How long what is under way may go on once another process took over: far longer than where the
/// proxy stops, since nobody waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Answers.
    pub answers: Duration,
    /// Upgraded connections: each ends at a moment of its own in the second half of this, so that
    /// not all who were on them come back at once.
    pub tunnels: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answers: Duration::from_mins(5), tunnels: Duration::from_mins(30) }
    }
}

/// Waits for the next word on whether to drain; for ever where nobody is left to say it.
pub(crate) async fn next(drains: &mut watch::Receiver<bool>) -> bool {
    match drains.changed().await {
        Ok(()) => *drains.borrow_and_update(),
        Err(_) => std::future::pending().await,
    }
}

//! A visitor's connection, as whoever works on its requests knows it.

mod pulse;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio_util::sync::CancellationToken;

pub(crate) use crate::visit::pulse::{Busy, Order, Pulse};

/// What ends a connection that was upgraded, beside its own two ends.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// The longest it may carry nothing.
    pub(crate) idle: Duration,
    /// How long it may go on once one end is closed, or the proxy is to stop.
    pub(crate) farewell: Duration,
    /// The proxy is to stop.
    pub(crate) stop: CancellationToken,
}

/// A visitor's connection.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The address at the other end, as an app is told it.
    pub(crate) peer: HeaderValue,
    /// Whether it came over TLS.
    pub(crate) https: bool,
    /// What ends it once it was upgraded.
    pub(crate) ends: Ends,
    /// What is going on with the connection.
    pub(crate) pulse: Arc<Pulse>,
    /// How many requests were begun on it.
    requests: Cell<u64>,
}

impl Visit {
    /// A connection that begins.
    pub(crate) fn new(peer: HeaderValue, ends: Ends, pulse: Arc<Pulse>) -> Self {
        Self { peer, https: false, ends, pulse, requests: Cell::new(0) }
    }

    /// The place of the request that begins now, counted from 0.
    pub(crate) fn next(&self) -> u64 {
        self.requests.replace(self.requests.get() + 1)
    }
}

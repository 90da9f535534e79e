//! A visitor's connection, as whoever works on its requests knows it.

mod pulse;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;

pub(crate) use crate::visit::pulse::{Busy, Order, Pulse};

/// A visitor's connection.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The address at the other end, as an app is told it.
    pub(crate) peer: HeaderValue,
    /// Whether it came over TLS.
    pub(crate) https: bool,
    /// The longest it may carry nothing once it was upgraded.
    pub(crate) tunnel_idle: Duration,
    /// What is going on with the connection.
    pub(crate) pulse: Arc<Pulse>,
    /// How many requests were begun on it.
    requests: Cell<u64>,
}

impl Visit {
    /// A connection that begins.
    pub(crate) fn new(peer: HeaderValue, tunnel_idle: Duration, pulse: Arc<Pulse>) -> Self {
        Self { peer, https: false, tunnel_idle, pulse, requests: Cell::new(0) }
    }

    /// The place of the request that begins now, counted from 0.
    pub(crate) fn next(&self) -> u64 {
        self.requests.replace(self.requests.get() + 1)
    }
}

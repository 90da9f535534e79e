//! The limits a visitor and an instance are held to.

use std::time::Duration;

/// The limits of the proxy. The defaults are for real traffic; a test takes shorter ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections of visitors for each thread; the newest is turned away.
    pub connections_per_thread: usize,
    /// The most connections of one visitor for each thread, told by the address (by its first 64
    /// bits where it is one of IPv6); those of this machine are not counted.
    pub connections_per_visitor: u32,
    /// The most requests on one connection; with the last answer it is closed.
    pub requests_per_connection: u32,
    /// The most bytes of a request's head; it may have [`toehold_http::MAX_FIELDS`] fields.
    pub head_bytes: usize,
    /// The longest a head may take from its first byte to its last.
    pub head: Duration,
    /// The longest a kept connection may say nothing between two requests.
    pub idle: Duration,
    /// The longest between two pieces of a request's body.
    pub upload_gap: Duration,
    /// How long a body may be slower than [`Limits::upload_bytes_per_second`].
    pub upload_grace: Duration,
    /// The least average speed of a request's body, after the grace.
    pub upload_bytes_per_second: u64,
    /// The longest a visitor may take in nothing of what waits for it.
    pub write_stall: Duration,
    /// The longest between two pieces of an answer.
    pub answer_gap: Duration,
    /// The longest an upgraded connection may carry nothing.
    pub tunnel_idle: Duration,
    /// How long an upgraded connection may go on once one of its ends is closed, or once the proxy
    /// was asked to stop: such connections have no end of their own that could be waited for.
    pub tunnel_farewell: Duration,
    /// The longest to connect to an instance.
    pub connect: Duration,
    /// How long a connection to an instance is kept for the next request.
    pub upstream_idle: Duration,
    /// How many connections to an instance each thread keeps.
    pub upstream_kept: usize,
    /// The longest a request waits for an instance to come back.
    pub park: Duration,
    /// The most requests that wait so, for each thread.
    pub parked_per_thread: usize,
    /// How long an idle connection is kept once the proxy was asked to stop: a request that was on
    /// its way just then is still answered, with the word that it is the last.
    pub farewell: Duration,
    /// How long requests that are under way may take once the proxy was asked to stop.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_thread: 10_000,
            connections_per_visitor: 2_000,
            requests_per_connection: 100_000,
            head_bytes: 64 * 1024,
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            upload_gap: Duration::from_secs(30),
            upload_grace: Duration::from_secs(30),
            upload_bytes_per_second: 1024,
            write_stall: Duration::from_mins(1),
            answer_gap: Duration::from_mins(10),
            tunnel_idle: Duration::from_hours(1),
            tunnel_farewell: Duration::from_secs(3),
            connect: Duration::from_secs(1),
            upstream_idle: Duration::from_secs(30),
            upstream_kept: 256,
            park: Duration::from_secs(2),
            parked_per_thread: 1_000,
            farewell: Duration::from_secs(1),
            shutdown: Duration::from_secs(25),
        }
    }
}

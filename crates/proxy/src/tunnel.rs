//! A connection that goes on in another protocol: bytes passed both ways until one side ends.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::attempt::Answered;
use crate::guests::Stay;
use crate::meter::Flight;
use crate::socket::{Socket, Unsent};
use crate::upstream::Line;
use crate::visitor::{After, Visitor};
use crate::worker::{Scratch, Worker};

/// A visitor and an instance that agreed to go on in another protocol.
struct Tunnel<'a> {
    worker: &'a Worker,
    line: Line,
    flight: &'a Flight,
    /// What the instance did not take yet.
    up: Unsent,
    /// Which side has closed its end.
    visitor_ended: bool,
    instance_ended: bool,
    /// When something was carried last.
    moved: Instant,
    /// When one side was first seen to have closed its end.
    half_since: Option<Instant>,
    /// How long it may go on once another process took over.
    drain: Duration,
}

/// Joins them until one of them ends, nothing was carried for too long, or the proxy stops or has
/// drained for long enough. The request stays in flight until then.
pub(crate) async fn tunnel(worker: &Worker, visitor: &mut Visitor, answered: Answered) -> After {
    let Answered { line, flight, .. } = answered;
    let mut tunnel = Tunnel {
        worker,
        line,
        flight: &flight,
        up: Unsent::default(),
        visitor_ended: false,
        instance_ended: false,
        moved: Instant::now(),
        half_since: None,
        drain: worker.shared.patience.tunnels.mul_f64(0.5 + fastrand::f64() / 2.0),
    };
    let ended = poll_fn(|cx| tunnel.poll(cx, visitor)).await;
    if let Err(error) = ended {
        tracing::trace!(%error, "an upgraded connection broke off");
    }
    drop(flight);
    After::Close
}

impl Tunnel<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, visitor: &mut Visitor) -> Poll<io::Result<()>> {
        let worker = self.worker;
        // What was sent before the answer came.
        if !visitor.held.is_empty() {
            let early = std::mem::take(&mut visitor.held);
            self.up.send(&mut self.line.socket, cx, [&early, &[]])?;
            self.flight.sent(early.len() as u64);
        }
        while !self.visitor_ended {
            let passed =
                poll_pass(cx, worker, &mut visitor.socket, &mut self.line.socket, &mut self.up);
            let Poll::Ready(passed) = passed else { break };
            let count = passed?;
            self.flight.sent(count as u64);
            self.visitor_ended = count == 0;
            self.moved = Instant::now();
        }
        while !self.instance_ended {
            let passed = poll_pass(
                cx,
                worker,
                &mut self.line.socket,
                &mut visitor.socket,
                &mut visitor.unsent,
            );
            let Poll::Ready(passed) = passed else { break };
            let count = passed?;
            self.flight.came(count);
            visitor.said += count as u64;
            self.instance_ended = count == 0;
            self.moved = Instant::now();
        }
        if self.visitor_ended && self.instance_ended {
            return Poll::Ready(Ok(()));
        }
        let limits = &worker.shared.limits;
        let mut deadline = self.moved + limits.tunnel_idle;
        if self.visitor_ended || self.instance_ended {
            let since = *self.half_since.get_or_insert_with(Instant::now);
            deadline = deadline.min(since + limits.tunnel_farewell);
        }
        deadline = match worker.guests.stay() {
            Stay::Welcome => deadline,
            Stay::Draining(since) => deadline.min(since + self.drain),
            Stay::Stopping(since) => deadline.min(since + limits.tunnel_farewell),
        };
        visitor.watch.poll(cx, deadline).map(Ok)
    }
}

/// Passes on what one side said, and its end. The answer is how many bytes that were; 0: it says no
/// more.
fn poll_pass(
    cx: &mut Context<'_>,
    worker: &Worker,
    from: &mut Socket,
    to: &mut Socket,
    unsent: &mut Unsent,
) -> Poll<io::Result<usize>> {
    if !unsent.is_empty(to) {
        ready!(unsent.poll_flush(to, cx))?;
    }
    let Scratch { read, .. } = &mut *worker.scratch();
    let count = ready!(from.poll_read(cx, read))?;
    if count == 0 {
        // Its other end may be gone; then there is nobody to tell.
        let _ = ready!(to.poll_shutdown(cx));
        return Poll::Ready(Ok(0));
    }
    unsent.send(to, cx, [&read[..count], &[]])?;
    Poll::Ready(Ok(count))
}

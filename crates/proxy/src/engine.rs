//! The HTTP/1.1 engine: hyper between the gate and [`crate::forward::answer`].
//!
//! Another engine would replace this room alone. What it owes the rest: requests in order, each
//! with its [`Visit`]; answers written with back-pressure; a connection broken off, never ended,
//! where the body of an answer fails.

mod inlet;
mod watch;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::engine::inlet::Inlet;
use crate::engine::watch::{Verdict, Watch};
use crate::forward;
use crate::gate::Gate;
use crate::headers;
use crate::limits::Limits;
use crate::visit::{Ends, Order, Pulse, Visit};
use crate::worker::Worker;

/// The engine of one thread.
pub(crate) struct Engine(http1::Builder);

impl Engine {
    /// With the limits that heads are held to.
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .header_read_timeout(None) // the watch sees to it
            // The gate lets no larger head in, and a stand-in is always small.
            .max_buf_size(limits.head_bytes.max(8 * 1024) + 64 * 1024);
        if limits.headers != 100 {
            builder.max_headers(limits.headers);
        }
        Self(builder)
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(
        self: Rc<Self>,
        worker: Rc<Worker>,
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let limits = worker.shared.limits;
        let pulse = Arc::new(Pulse::new());
        let gate = Gate::new(limits.head_bytes, limits.headers);
        let inlet = Inlet::new(stream, gate, pulse.clone(), worker.connections.clone());
        let peer_said = headers::address(peer.ip());
        let ends = Ends {
            idle: limits.tunnel_idle,
            farewell: limits.tunnel_farewell,
            stop: worker.shared.stop.clone(),
        };
        let visit = Rc::new(Visit::new(peer_said, ends, pulse.clone()));
        let service = {
            let worker = worker.clone();
            service_fn(move |request| {
                let (worker, visit) = (worker.clone(), visit.clone());
                async move {
                    let index = visit.next();
                    Ok::<_, Infallible>(forward::answer(&worker, &visit, index, request).await)
                }
            })
        };
        let mut connection =
            pin!(self.0.serve_connection(TokioIo::new(inlet), service).with_upgrades());
        let mut stop = pin!(worker.shared.stop.cancelled());
        let mut stopping = false;
        let mut watch = Watch::new(pulse.clone(), limits);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    if let Err(error) = ended {
                        tracing::trace!(%peer, %error, "a visitor's connection broke off");
                    }
                    return Poll::Ready(());
                }
                if pulse.take_decided() {
                    continue;
                }
                if !stopping && stop.as_mut().poll(cx).is_ready() {
                    // The watch closes it once it is idle; until then each answer says that it
                    // is the last.
                    stopping = true;
                    pulse.set_stops();
                }
                match watch.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Verdict::Drop) => {
                        pulse.reset_at_end();
                        return Poll::Ready(());
                    }
                    Poll::Ready(Verdict::Close) => connection.as_mut().graceful_shutdown(),
                    Poll::Ready(Verdict::RefuseHead) => pulse.give_order(Order::RefuseHead),
                    Poll::Ready(Verdict::BreakBody) => pulse.give_order(Order::BreakBody),
                }
            }
        })
        .await;
    }
}

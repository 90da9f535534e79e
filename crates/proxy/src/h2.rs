//! A connection of HTTP/2: each of its streams is a request.

mod pulse;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ::h2::RecvStream;
use ::h2::server::{Builder, Connection};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use hyper::Request;
use toehold_http::MAX_FIELDS;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::busy::{Busy, Open};
use crate::grpc;
use crate::guests::{Guest, Stay};
use crate::h2::pulse::Pulse;
use crate::serve::serve;
use crate::socket::Socket;
use crate::stream::{Respond, Stream};
use crate::watch::Watch;
use crate::worker::Worker;

/// The most requests of a connection at a time.
const STREAMS: u32 = 128;

/// How much of a body a visitor may send ahead, in bytes. All of them together may send as much as
/// each: else bodies that an app does not read would keep others from coming.
const WINDOW: u32 = 128 * 1024;

/// What h2 adds to the size of each field of a head, and room for what it counts besides: the engine
/// refuses a head that is too large before h2 does, with a page and a line in the log.
const FIELD_BYTES: usize = 32;
const MARGIN_BYTES: usize = 4096;

/// How much of an answer waits to be sent that the visitor has room for, for each stream, in bytes.
const MAX_SENT_AHEAD: usize = 32 * 1024;

/// Serves one connection until it ends.
pub(crate) async fn serve_streams(
    worker: Rc<Worker>,
    stream: TlsStream<TcpStream>,
    peer: Rc<str>,
    guest: Guest,
) {
    let limits = &worker.shared.limits;
    let head_bytes = limits.head_bytes + MAX_FIELDS * FIELD_BYTES + MARGIN_BYTES;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * STREAMS)
        .max_send_buffer_size(MAX_SENT_AHEAD);
    let begun = timeout(limits.head, builder.handshake(stream));
    let Ok(Ok(mut streams)) = Box::pin(begun).await else { return };
    let pulse = Pulse::new(streams.ping_pong());
    let begun = Instant::now();
    let watch = Watch::new(begun + limits.idle);
    let (busy, closing) = (Busy::new(), None);
    let (worker, busy) = (&worker, &busy);
    let mut visit = Visit { worker, peer: &peer, streams, busy, pulse, watch, begun, closing };
    let mut answers = FuturesUnordered::new();
    let mut registered = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut registered, true) {
            guest.is_served_by(cx.waker());
        }
        loop {
            match visit.poll(cx) {
                Poll::Ready(Some((request, respond))) => {
                    let (worker, peer) = (worker.clone(), peer.clone());
                    answers.push(answer(worker, peer, busy.open(), request, respond));
                    continue;
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            // What they say wakes this task, and then is sent for all of them at once.
            let mut have_ended = false;
            while let Poll::Ready(Some(())) = answers.poll_next_unpin(cx) {
                have_ended = true;
            }
            // Where none is left another time is to be waited for.
            if !have_ended || busy.since_idle().is_none() {
                return Poll::Pending;
            }
        }
    })
    .await;
    // Those that were not answered yet hear of it, and say so to the access log.
    drop(visit);
    while answers.next().await.is_some() {}
}

/// A connection. Streams that are open when this is dropped break off.
struct Visit<'a> {
    worker: &'a Rc<Worker>,
    peer: &'a str,
    streams: Connection<TlsStream<TcpStream>, Bytes>,
    busy: &'a Busy,
    pulse: Pulse,
    watch: Watch,
    begun: Instant,
    /// Since when no more requests are taken.
    closing: Option<Instant>,
}

impl Visit<'_> {
    /// The next request; `None`: it is over. This is what reads and writes for all streams, too.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Request<RecvStream>, Respond)>> {
        loop {
            match self.streams.poll_accept(cx) {
                Poll::Ready(Some(Ok(next))) => return Poll::Ready(Some(next)),
                Poll::Ready(Some(Err(error))) => {
                    tracing::trace!(peer = self.peer, %error, "a visitor's connection broke off");
                    return Poll::Ready(None);
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
            let (beat, deadline) = (self.pulse.next(cx), self.deadline());
            ready!(self.watch.poll(cx, deadline.unwrap_or(beat).min(beat)));
            let now = Instant::now();
            if beat <= now && !self.pulse.beat(now, self.busy) {
                return Poll::Ready(None);
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                if self.closing.replace(now).is_some() {
                    return Poll::Ready(None);
                }
                self.streams.graceful_shutdown();
            }
        }
    }

    /// When no more requests are taken; after that, when it is over. `None`: not as long as some are
    /// under way.
    fn deadline(&self) -> Option<Instant> {
        let (limits, stay) = (&self.worker.shared.limits, self.worker.guests.stay());
        let idle = self.busy.since_idle();
        let Some(said) = self.closing else {
            let enough = self.busy.has_had(limits.requests_per_connection);
            return match stay {
                Stay::Welcome if enough => Some(self.begun),
                Stay::Welcome => idle.map(|since| since + limits.idle),
                Stay::Draining(since) | Stay::Stopping(since) => Some(since),
            };
        };
        // What was said is on its way for a while, and the goodbye may never be answered.
        let unsent = if self.streams.has_streams() { limits.write_stall } else { Duration::ZERO };
        match (idle, stay) {
            (Some(since), Stay::Stopping(_)) => Some(since.max(said) + limits.farewell.max(unsent)),
            (Some(since), _) => Some(since.max(said) + limits.head.max(unsent)),
            (None, Stay::Draining(since)) => Some(since + self.worker.shared.patience.answers),
            (None, _) => None,
        }
    }
}

/// Answers one request. What is made of it is made first, so that a stream that waits does not hold
/// the room for both.
fn answer(
    worker: Rc<Worker>,
    peer: Rc<str>,
    open: Open,
    request: Request<RecvStream>,
    respond: Respond,
) -> impl Future<Output = ()> {
    if grpc::is_call(&request) {
        Either::Left(Box::pin(grpc::answer(worker, peer, open, request, respond)))
    } else {
        let socket = Socket::Stream(Box::new(Stream::new(request, respond, open)));
        Either::Right(serve(worker, socket, peer, None))
    }
}

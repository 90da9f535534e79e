//! A connection of HTTP/2: each of its streams is a request.

mod held;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::grpc::{self, Call};
use crate::guests::{Guest, Stay};
use crate::h2::held::{Held, Streams};
use crate::serve::serve;
use crate::socket::Socket;
use crate::stream::{Piece, Said, Stream};
use crate::watch::Watch;
use crate::worker::Worker;

/// The most requests of a connection at a time.
const STREAMS: u32 = 128;

/// How long a visitor may say nothing before it is asked whether it is still there, and how long it
/// may take to say so.
const ASK_AFTER: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(20);

/// How much of a body a visitor may send ahead, for a stream and for all of them, in bytes.
const WINDOW: (u32, u32) = (256 * 1024, 1024 * 1024);

/// How much of an answer waits to be sent that the visitor has room for, for each stream, in bytes.
const MAX_SENT_AHEAD: usize = 64 * 1024;

/// Serves one connection until it ends.
pub(crate) async fn serve_streams(
    worker: Rc<Worker>,
    stream: TlsStream<TcpStream>,
    peer: Rc<str>,
    guest: Guest,
) {
    let limits = worker.shared.limits;
    let (busy, next) = (Rc::new(Busy::new()), Rc::<RefCell<Rc<Held>>>::default());
    let streams = Streams { next: next.clone(), busy: busy.clone(), stall: limits.write_stall };
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW.0)
        .initial_connection_window_size(WINDOW.1)
        .max_send_buf_size(MAX_SENT_AHEAD)
        .keep_alive_interval(ASK_AFTER)
        .keep_alive_timeout(ANSWER);
    let service = {
        let (worker, busy, peer) = (worker.clone(), busy.clone(), peer.clone());
        service_fn(move |request| {
            let held = Rc::new(Held::default());
            // The work on this stream is begun right behind this.
            next.replace(held.clone());
            // Apart, since the library moves what it is given several times.
            Box::pin(answer(worker.clone(), peer.clone(), Open::new(busy.clone(), held), request))
        })
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut watch = Watch::new(Instant::now() + limits.idle);
    let (mut registered, mut closing) = (false, None);
    poll_fn(|cx| {
        if !std::mem::replace(&mut registered, true) {
            guest.is_served_by(cx.waker());
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                if let Err(error) = ended {
                    tracing::trace!(%peer, %error, "a visitor's connection broke off");
                }
                return Poll::Ready(());
            }
            let now = Instant::now();
            let (stay, idle) = (worker.guests.stay(), busy.since_idle());
            let deadline = match (closing, idle, stay) {
                (None, _, Stay::Draining(_) | Stay::Stopping(_)) => now,
                // It may come again; this one keeps what it does not take in.
                (None, ..) if busy.has_stalled.get() => now,
                (None, ..) if busy.has_had(limits.requests_per_connection) => now,
                (None, Some(since), Stay::Welcome) => since + limits.idle,
                (None, None, Stay::Welcome) => now + limits.idle,
                // The goodbye may never be answered, or not even be read.
                (Some(said), Some(since), Stay::Stopping(_)) => since.max(said) + limits.farewell,
                (Some(said), Some(since), _) => since.max(said) + limits.head,
                (Some(_), None, _) => now + limits.head,
            };
            ready!(watch.poll(cx, deadline));
            if closing.is_none() {
                closing = Some(now);
                connection.as_mut().graceful_shutdown();
            } else if idle.is_some() {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

/// How many streams are open, and since when none is.
#[derive(Debug)]
struct Busy {
    streams: Cell<usize>,
    /// How many were opened in all.
    opened: Cell<u32>,
    /// One was given up because its visitor took nothing in.
    has_stalled: Cell<bool>,
    idle_since: Cell<Instant>,
}

impl Busy {
    fn new() -> Self {
        let (streams, opened) = (Cell::new(0), Cell::new(0));
        let idle_since = Cell::new(Instant::now());
        Self { streams, opened, has_stalled: Cell::new(false), idle_since }
    }

    fn stalls(&self) {
        self.has_stalled.set(true);
    }

    fn has_had(&self, most: u32) -> bool {
        self.opened.get() >= most
    }

    fn since_idle(&self) -> Option<Instant> {
        Some(self.idle_since.get()).filter(|_| self.streams.get() == 0)
    }
}

/// A stream that is open for as long as this lives.
struct Open(Rc<Busy>, Rc<Held>);

impl Open {
    fn new(busy: Rc<Busy>, held: Rc<Held>) -> Self {
        busy.streams.set(busy.streams.get() + 1);
        busy.opened.set(busy.opened.get().saturating_add(1));
        Self(busy, held)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get() - 1);
        self.0.idle_since.set(Instant::now());
    }
}

/// Answers one request.
async fn answer(
    worker: Rc<Worker>,
    peer: Rc<str>,
    open: Open,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    if grpc::is_call(&request) {
        let response = Box::pin(grpc::call(worker, peer, request)).await;
        return Ok(response.map(|call| Answer { kind: Kind::Call(call), open }));
    }
    let response = by_engine(worker, peer, request).await;
    Ok(response.map(|rest| Answer { kind: Kind::Engine(rest), open }))
}

/// The engine works on a request until the head of the answer is there; the rest of its work is done
/// as the body is asked for.
async fn by_engine(
    worker: Rc<Worker>,
    peer: Rc<str>,
    request: Request<Incoming>,
) -> Response<Rest> {
    let (stream, said) = Stream::new(request);
    let socket = Socket::Stream(Box::new(stream));
    let serving = Box::pin(serve(worker, socket, peer, None));
    let mut rest = Rest { serving: Some(serving), said };
    let head = poll_fn(|cx| {
        rest.work(cx);
        let head = rest.said.borrow_mut().head();
        match head {
            Some(head) => Poll::Ready(Some(head)),
            None if rest.serving.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    })
    .await;
    let head = head.unwrap_or_else(|| {
        // It was given up without a word; the body, which fails, breaks the stream off.
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::BAD_GATEWAY;
        head
    });
    head.map(|()| rest)
}

/// The body of an answer.
struct Answer {
    kind: Kind,
    open: Open,
}

/// Whose answer it is.
enum Kind {
    /// The engine's.
    Engine(Rest),
    /// An instance's, to a call of gRPC.
    Call(Call),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { kind, open: Open(_, held) } = self.get_mut();
        held.ends();
        let frame = match kind {
            Kind::Engine(rest) => rest.poll(cx).map(|it| it.map(|it| it.map_err(Into::into))),
            Kind::Call(call) => {
                Pin::new(call).poll_frame(cx).map(|it| it.map(|it| it.map_err(Into::into)))
            }
        };
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            held.begins();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Engine(rest) => rest.said.borrow().is_over(),
            Kind::Call(call) => call.is_end_stream(),
        }
    }
}

/// What is left of an answer of the engine's.
struct Rest {
    /// The engine's work; `None` once it is done.
    serving: Option<Pin<Box<dyn Future<Output = ()>>>>,
    said: Rc<RefCell<Said>>,
}

impl Drop for Rest {
    /// Where the engine is at work its visitor has left: it says so to the access log.
    fn drop(&mut self) {
        self.said.borrow_mut().leaves();
        self.work(&mut Context::from_waker(Waker::noop()));
    }
}

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
struct Cut;

impl Rest {
    fn work(&mut self, cx: &mut Context<'_>) {
        if let Some(serving) = &mut self.serving
            && serving.as_mut().poll(cx).is_ready()
        {
            self.serving = None;
            self.said.borrow_mut().ends();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.work(cx);
        let next = self.said.borrow_mut().next();
        match next {
            Some(Piece::Content(content)) => Poll::Ready(Some(Ok(Frame::data(content)))),
            Some(Piece::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Piece::End) if self.serving.is_some() && !self.said.borrow().is_heard() => {
                Poll::Pending
            }
            Some(Piece::End) => Poll::Ready(None),
            None if self.serving.is_none() => Poll::Ready(Some(Err(Cut))),
            None => Poll::Pending,
        }
    }
}

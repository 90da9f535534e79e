//! What comes by one stream of HTTP/2 goes out by another: content and the fields behind it, as the
//! other side has room.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use ::h2::{Error, RecvStream, SendStream};
use bytes::Bytes;
use hyper::HeaderMap;

/// One direction of a call.
#[derive(Debug)]
pub(crate) struct Pipe {
    from: RecvStream,
    to: SendStream<Bytes>,
    /// Came, and the other side had no room for it yet.
    held: Bytes,
    /// When something came or went last.
    moved: Instant,
    /// Bytes that went and nobody counted yet.
    uncounted: u64,
    ended: bool,
}

/// How a direction came to its end.
#[derive(Debug)]
pub(crate) enum End {
    /// All of it went.
    Whole,
    /// Where it comes from, it broke off.
    Broken(Error),
    /// Where it goes to, nobody wants more of it.
    Unwanted,
}

impl Pipe {
    /// Nothing of it went yet; `ended`: nothing is to come.
    pub(crate) fn new(from: RecvStream, to: SendStream<Bytes>, ended: bool) -> Self {
        Self { from, to, held: Bytes::new(), moved: Instant::now(), uncounted: 0, ended }
    }

    /// Whether all that is to go went.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the other side has no room for what came.
    pub(crate) const fn is_blocked(&self) -> bool {
        !self.held.is_empty()
    }

    /// When something came or went last.
    pub(crate) const fn moved(&self) -> Instant {
        self.moved
    }

    /// How many bytes went since this was asked last.
    pub(crate) fn take_uncounted(&mut self) -> u64 {
        std::mem::take(&mut self.uncounted)
    }

    /// Where it comes from, where nothing went yet.
    pub(crate) fn into_source(self) -> RecvStream {
        self.from
    }

    /// Where it goes to.
    pub(crate) const fn to(&mut self) -> &mut SendStream<Bytes> {
        &mut self.to
    }

    /// Passes on what there is. Ready when no more will go.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.ended {
            return Poll::Ready(End::Whole);
        }
        loop {
            if ready!(self.poll_send(cx)).is_err() {
                return Poll::Ready(End::Unwanted);
            }
            match ready!(self.from.poll_data(cx)) {
                Some(Ok(content)) => {
                    self.moved = Instant::now();
                    self.held = content;
                }
                Some(Err(error)) => return Poll::Ready(End::Broken(error)),
                None => match ready!(self.from.poll_trailers(cx)) {
                    Ok(fields) => return Poll::Ready(self.end(fields)),
                    Err(error) => return Poll::Ready(End::Broken(error)),
                },
            }
        }
    }

    /// Ready when the other side has all that came.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        while !self.held.is_empty() {
            self.to.reserve_capacity(self.held.len());
            let room = self.to.capacity().min(self.held.len());
            if room == 0 {
                match ready!(self.to.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return Poll::Ready(Err(())),
                }
            }
            self.moved = Instant::now();
            self.uncounted += room as u64;
            // Whoever sends may send as much more. Where that cannot be said nothing will come.
            let _ = self.from.flow_control().release_capacity(room);
            if self.to.send_data(self.held.split_to(room), false).is_err() {
                return Poll::Ready(Err(()));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn end(&mut self, fields: Option<HeaderMap>) -> End {
        self.ended = true;
        self.moved = Instant::now();
        let said = match fields {
            Some(fields) => self.to.send_trailers(fields),
            None => self.to.send_data(Bytes::new(), true),
        };
        if said.is_ok() { End::Whole } else { End::Unwanted }
    }
}

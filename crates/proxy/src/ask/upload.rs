//! A request on its way to an instance: its head, and its body as it comes.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use thiserror::Error;
use toehold_http::Body;

use crate::limits::Limits;
use crate::page::Page;
use crate::socket::Socket;
use crate::visitor::Visitor;
use crate::worker::{Scratch, Worker};

/// The largest body that is read whole so that the request can be sent again, in bytes.
const MAX_KEPT_BYTES: u64 = 64 * 1024;

/// What tells a visitor to go on.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The most of a body that is read and thrown away so that the connection may be kept, in bytes, and
/// the time it may take.
const DISCARDED_BYTES: u64 = 1024 * 1024;
const DISCARDED_WITHIN: Duration = Duration::from_secs(2);

/// What a visitor did wrong with a body. The instance is not to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    /// It has more bytes than the app takes.
    #[error("the body is larger than the app takes")]
    TooLarge,
    /// It is not well-formed.
    #[error("the body of the request is not well-formed")]
    Broken,
    /// It did not go on.
    #[error("the body of the request did not go on")]
    TooSlow,
}

impl Fault {
    /// What to say of it.
    pub(crate) const fn page(self) -> Page {
        match self {
            Self::TooLarge => Page::BODY_TOO_LARGE,
            Self::Broken => Page::UPLOAD_BROKEN,
            Self::TooSlow => Page::UPLOAD_TOO_SLOW,
        }
    }
}

/// Why a request is not sent further.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The visitor's body cannot be taken.
    Visitors(Fault),
    /// The visitor went away.
    Gone,
    /// The instance takes no more of it.
    Instance(io::Error),
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Upload {
    /// What is to be sent: the head, and of the body what is there. All of the request, where it is
    /// repeatable.
    bytes: Vec<u8>,
    sent: usize,
    /// How many bytes were sent since that was asked last.
    uncounted: u64,
    /// Something of the request was sent, be it of these bytes or of those before.
    is_begun: bool,
    /// What is still to come of the body.
    body: Body,
    /// How many bytes of content came, and how many may.
    content: u64,
    max_content: u64,
    /// The visitor waits to be told to go on.
    expects_continue: bool,
    /// More of the body is or was waited for.
    streams: bool,
    begun: Instant,
    /// When a piece came or went last.
    moved: Instant,
    /// Since when the visitor is waited for.
    waits_since: Option<Instant>,
}

impl Upload {
    /// Of a request with this head, made ready, and this body.
    pub(crate) fn new(
        head: Vec<u8>,
        body: Body,
        max_content: u64,
        expects_continue: bool,
        now: Instant,
    ) -> Self {
        Self {
            bytes: head,
            sent: 0,
            uncounted: 0,
            is_begun: false,
            body,
            content: 0,
            max_content,
            expects_continue,
            streams: false,
            begun: now,
            moved: now,
            waits_since: None,
        }
    }

    /// Takes what belongs to the body from the beginning of `bytes`, to be sent. The answer is how
    /// many bytes do.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        if self.body.has_ended() || bytes.is_empty() {
            return Ok(0);
        }
        let taken = self.body.take(bytes).map_err(|_| Fault::Broken)?;
        self.content += taken.content;
        if self.content > self.max_content {
            // Even where its end is there as well: what is behind it would be read as the visitor's
            // next request from the wrong place on.
            self.body = Body::UntilClose;
            return Err(Fault::TooLarge);
        }
        // Fields behind a body are dropped: an instance was promised none.
        self.bytes.extend_from_slice(&bytes[..taken.trailer.start]);
        self.bytes.extend_from_slice(&bytes[taken.trailer.end..taken.bytes]);
        Ok(taken.bytes)
    }

    /// Whether all of the body came.
    pub(crate) const fn has_come(&self) -> bool {
        self.body.has_ended()
    }

    /// Whether all of the request was sent.
    pub(crate) fn is_sent(&self) -> bool {
        self.has_come() && self.sent == self.bytes.len()
    }

    /// When it came, and whether all of it did just then.
    pub(crate) const fn came(&self) -> (Instant, bool) {
        (self.begun, !self.streams)
    }

    /// Its answer has begun: a word to go on would be taken for a part of that.
    pub(crate) const fn is_answered(&mut self) {
        self.expects_continue = false;
    }

    /// How many bytes were sent since this was asked last.
    pub(crate) const fn take_uncounted(&mut self) -> u64 {
        std::mem::replace(&mut self.uncounted, 0)
    }

    /// Whether anything of it was sent.
    pub(crate) const fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// It will be sent from its beginning. Only where all of it is there.
    pub(crate) const fn rewind(&mut self) {
        self.sent = 0;
        self.is_begun = false;
    }

    /// Whether all of it can be read before any of it is sent.
    pub(crate) const fn is_small(&self) -> bool {
        match self.body {
            Body::Ended => true,
            Body::Length(left) => self.content + left <= MAX_KEPT_BYTES,
            Body::Chunked(_) | Body::UntilClose => false,
        }
    }

    /// Reads the body whole, within its time and until this moment.
    pub(crate) async fn whole(
        &mut self,
        worker: &Worker,
        visitor: &mut Visitor,
        until: Instant,
    ) -> Result<(), Halt> {
        poll_fn(|cx| {
            if let Poll::Ready(came) = self.poll_whole(cx, worker, visitor) {
                return Poll::Ready(came);
            }
            // It may have to be told to go on.
            if let Poll::Ready(Err(_)) = visitor.poll_flush(cx) {
                return Poll::Ready(Err(Halt::Gone));
            }
            let limits = &worker.shared.limits;
            let deadline = self.visitors_deadline(limits).map_or(until, |by| by.min(until));
            visitor.watch.poll(cx, deadline).map(|()| Err(Halt::Visitors(Fault::TooSlow)))
        })
        .await
    }

    fn poll_whole(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        visitor: &mut Visitor,
    ) -> Poll<Result<(), Halt>> {
        while !self.body.has_ended() {
            let Scratch { read, .. } = &mut *worker.scratch();
            let count = ready!(self.poll_visitor(cx, visitor, read))?;
            self.keep(visitor, &read[..count])?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is left of the body and throws it away: the answer did not wait for it, and the
    /// connection is for another request behind it. Not all of it may come within its bounds.
    pub(crate) async fn discard(&mut self, worker: &Worker, visitor: &mut Visitor) {
        let until = Instant::now() + DISCARDED_WITHIN;
        let most = self.content + DISCARDED_BYTES;
        poll_fn(|cx| {
            while !self.body.has_ended() && self.content <= most {
                let Scratch { read, .. } = &mut *worker.scratch();
                let count = match self.poll_visitor(cx, visitor, read) {
                    Poll::Ready(Ok(count)) => count,
                    Poll::Ready(Err(_)) => break,
                    Poll::Pending => return visitor.watch.poll(cx, until),
                };
                let Ok(taken) = self.body.take(&read[..count]) else { break };
                visitor.hold_first(&read[taken.bytes..count]);
                self.content += taken.content;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Sends the request to an instance, the body as it comes.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        visitor: &mut Visitor,
        instance: &mut Socket,
    ) -> Poll<Result<(), Halt>> {
        loop {
            while self.sent < self.bytes.len() {
                match ready!(instance.poll_write(cx, &self.bytes[self.sent..])) {
                    Ok(0) => {
                        return Poll::Ready(Err(Halt::Instance(io::ErrorKind::WriteZero.into())));
                    }
                    Ok(count) => {
                        self.sent += count;
                        self.uncounted += count as u64;
                        self.is_begun = true;
                    }
                    Err(error) => return Poll::Ready(Err(Halt::Instance(error))),
                }
                if self.streams {
                    self.moved = Instant::now();
                }
            }
            if self.body.has_ended() {
                return Poll::Ready(Ok(()));
            }
            let Scratch { read, .. } = &mut *worker.scratch();
            let count = ready!(self.poll_visitor(cx, visitor, read))?;
            // What was sent is not needed again: such a request is not repeated.
            self.bytes.clear();
            self.sent = 0;
            self.pass(cx, visitor, instance, &read[..count])?;
        }
    }

    /// Sends what came as far as the instance takes it now; the rest of it waits.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        visitor: &mut Visitor,
        instance: &mut Socket,
        came: &[u8],
    ) -> Result<(), Halt> {
        if !matches!(self.body, Body::Length(_)) {
            return self.keep(visitor, came);
        }
        self.arrives();
        let taken = self.body.take(came).map_err(|_| Halt::Visitors(Fault::Broken))?;
        self.content += taken.content;
        visitor.hold_first(&came[taken.bytes..]);
        let (sent, passed) = match instance.poll_write(cx, &came[..taken.bytes]) {
            Poll::Ready(Ok(sent)) => (sent, Ok(())),
            Poll::Ready(Err(error)) => (0, Err(Halt::Instance(error))),
            Poll::Pending => (0, Ok(())),
        };
        self.uncounted += sent as u64;
        self.bytes.extend_from_slice(&came[sent..taken.bytes]);
        passed
    }

    /// A piece of the body came.
    fn arrives(&mut self) {
        self.moved = Instant::now();
        self.waits_since = None;
    }

    /// Takes what came; what is behind the body is the visitor's next request.
    fn keep(&mut self, visitor: &mut Visitor, came: &[u8]) -> Result<(), Halt> {
        self.arrives();
        let used = self.take(came).map_err(Halt::Visitors)?;
        visitor.hold_first(&came[used..]);
        Ok(())
    }

    /// Reads more of the body.
    fn poll_visitor(
        &mut self,
        cx: &mut Context<'_>,
        visitor: &mut Visitor,
        space: &mut [u8],
    ) -> Poll<Result<usize, Halt>> {
        self.streams = true;
        if !visitor.held.is_empty() {
            let count = visitor.held.len().min(space.len());
            space[..count].copy_from_slice(&visitor.held[..count]);
            visitor.held.drain(..count);
            return Poll::Ready(Ok(count));
        }
        let read = visitor.socket.poll_read(cx, space);
        if read.is_pending() {
            self.waits_since.get_or_insert_with(Instant::now);
            if std::mem::take(&mut self.expects_continue) {
                visitor.said_in_heads += CONTINUE.len() as u64;
                if visitor.say(cx, [CONTINUE, &[]]).is_err() {
                    return Poll::Ready(Err(Halt::Gone));
                }
            }
        }
        match ready!(read) {
            Ok(0) | Err(_) => Poll::Ready(Err(Halt::Gone)),
            Ok(count) => Poll::Ready(Ok(count)),
        }
    }

    /// When it is too late as things stand, and whose fault that is; an answer may take `timeout`.
    /// The time for one is counted from when the request was there whole; before that, each piece
    /// the instance takes begins it anew, and the visitor is held to an average speed.
    pub(crate) fn deadline(
        &self,
        begun: Instant,
        timeout: Duration,
        limits: &Limits,
    ) -> (Instant, Option<Fault>) {
        if self.has_come() {
            let since = if self.streams { self.moved } else { begun };
            return (since + timeout, None);
        }
        match self.visitors_deadline(limits) {
            Some(by) => (by, Some(Fault::TooSlow)),
            None => (self.must_come_by(limits).min(self.moved + timeout), None),
        }
    }

    /// When it is too late for the visitor who is waited for; `None` where none is.
    pub(crate) fn visitors_deadline(&self, limits: &Limits) -> Option<Instant> {
        self.waits_since.map(|since| self.must_come_by(limits).min(since + limits.upload_gap))
    }

    /// When it is too late for more of the body, if no more comes: it is held to an average speed.
    fn must_come_by(&self, limits: &Limits) -> Instant {
        let earned = self.content / limits.upload_bytes_per_second.max(1);
        self.begun + limits.upload_grace + Duration::from_secs(earned)
    }
}

//! A visitor's connection, as whoever works on its requests knows it.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::socket::{Socket, Unsent};
use crate::watch::Watch;
use crate::worker::{Scratch, Worker};

/// The longest a closed connection is read on, so that the visitor gets to read the answer: without
/// anything that comes, and in all.
const LINGER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// The most bytes that are read and thrown away then.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// The most bytes of later requests that are read while one is answered.
const AHEAD_BYTES: usize = 64 * 1024;

/// A visitor.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) socket: Socket,
    /// What was read and not used yet.
    pub(crate) held: Vec<u8>,
    /// What it did not take yet.
    pub(crate) unsent: Unsent,
    /// Since when it takes nothing of that.
    blocked_since: Option<Instant>,
    /// When something came or went last.
    pub(crate) moved: Instant,
    pub(crate) watch: Watch,
    /// The address at the other end, as an app is told it.
    pub(crate) peer: Rc<str>,
    /// Whether it came over TLS.
    pub(crate) https: bool,
    /// How many requests were begun on it.
    requests: u32,
    /// How many bytes were said to it, and how many of those were no body.
    pub(crate) said: u64,
    pub(crate) said_in_heads: u64,
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It is for the next one.
    Next,
    /// Everything was said and read: it ends.
    Close,
    /// Everything was said; the visitor may still be sending.
    Linger,
    /// Not everything was said, and that must not look as if it were.
    Reset,
}

impl Visitor {
    /// One that comes just now.
    pub(crate) fn new(worker: &Worker, socket: Socket, peer: Rc<str>) -> Self {
        let now = Instant::now();
        Self {
            https: socket.is_tls(),
            socket,
            held: Vec::new(),
            unsent: Unsent::default(),
            blocked_since: None,
            moved: now,
            watch: Watch::new(now + worker.shared.limits.idle),
            peer,
            requests: 0,
            said: 0,
            said_in_heads: 0,
        }
    }

    /// A request is begun.
    pub(crate) const fn begins(&mut self) {
        self.requests += 1;
    }

    /// Whether the request that was begun last is the last that is taken.
    pub(crate) fn is_last(&self, worker: &Worker) -> bool {
        worker.guests.are_sent_home()
            || self.requests >= worker.shared.limits.requests_per_connection
    }

    /// Says two pieces, the second behind the first, as far as it takes them in now.
    pub(crate) fn say(&mut self, cx: &mut Context<'_>, pieces: [&[u8]; 2]) -> io::Result<()> {
        self.said += (pieces[0].len() + pieces[1].len()) as u64;
        self.unsent.send(&mut self.socket, cx, pieces)
    }

    /// Whether it has not taken in everything that was said.
    pub(crate) fn is_behind(&self) -> bool {
        !self.unsent.is_empty(&self.socket)
    }

    /// How many bytes of bodies were said to it.
    pub(crate) const fn said_in_bodies(&self) -> u64 {
        self.said - self.said_in_heads
    }

    /// Ready when it has taken in everything that was said.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_behind() {
            return Poll::Ready(Ok(()));
        }
        let before = self.unsent.taken();
        let flushed = self.unsent.poll_flush(&mut self.socket, cx);
        if flushed.is_ready() {
            self.blocked_since = None;
        } else if self.blocked_since.is_none() || self.unsent.taken() > before {
            self.blocked_since = Some(Instant::now());
        }
        flushed
    }

    /// Since when it takes nothing of what was said.
    pub(crate) const fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Holds what was read and belongs before what is held: during a wait more was read ahead.
    pub(crate) fn hold_first(&mut self, bytes: &[u8]) {
        self.held.splice(..0, bytes.iter().copied());
    }

    /// Ready when it went away; what it sends meanwhile is kept, within bounds, for later.
    pub(crate) fn poll_left(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<()> {
        while self.held.len() < AHEAD_BYTES {
            let mut scratch = worker.scratch();
            match ready!(self.socket.poll_read(cx, &mut scratch.read)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(count) => self.held.extend_from_slice(&scratch.read[..count]),
            }
        }
        Poll::Pending
    }

    /// What comes of `work`, unless the visitor goes away before.
    pub(crate) async fn while_there<T>(
        &mut self,
        worker: &Worker,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll_left(cx, worker).map(|()| None),
        })
        .await
    }

    /// Ends a connection of TLS on which everything was said and read: without the word for it the
    /// visitor could not tell an end from a cut.
    pub(crate) async fn close(&mut self) {
        let until = Instant::now() + LINGER[0];
        poll_fn(|cx| match self.socket.poll_shutdown(cx) {
            Poll::Ready(_) => Poll::Ready(()),
            Poll::Pending => self.watch.poll(cx, until),
        })
        .await;
    }

    /// Says that nothing more comes, then reads on for a moment: a socket that is closed with unread
    /// input is reset, and takes the answer with it.
    pub(crate) async fn linger(&mut self, worker: &Worker) {
        let [silent, in_all] = LINGER;
        let until = Instant::now() + in_all;
        let (mut thrown_away, mut closed) = (0, false);
        self.moved = Instant::now();
        poll_fn(|cx| {
            if self.poll_ended(cx, worker, &mut thrown_away, &mut closed).is_ready() {
                return Poll::Ready(());
            }
            self.watch.poll(cx, until.min(self.moved + silent))
        })
        .await;
    }

    fn poll_ended(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        thrown_away: &mut usize,
        closed: &mut bool,
    ) -> Poll<()> {
        if !*closed {
            if ready!(self.socket.poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            *closed = true;
        }
        while *thrown_away < LINGER_BYTES {
            let Scratch { read, .. } = &mut *worker.scratch();
            match ready!(self.socket.poll_read(cx, read)) {
                Ok(0) | Err(_) => break,
                Ok(count) => *thrown_away += count,
            }
            self.moved = Instant::now();
        }
        Poll::Ready(())
    }
}

//! A visitor's next request is waited for.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::ask::Ask;
use crate::guests::Stay;
use crate::page::Page;
use crate::visitor::Visitor;
use crate::worker::{Scratch, Worker};

/// What comes next on a connection.
pub(super) enum Next {
    /// A request.
    Ask(Box<Ask>),
    /// Something that is not let in.
    Refused(Page),
    /// Nothing: the visitor left, or said nothing for too long.
    End,
}

/// How far the head of the next request has come.
struct Head {
    /// What is held of it was searched so far for its end.
    seen: usize,
    /// Since when it is waited for, or comes.
    since: Instant,
    /// What is held was not looked at yet.
    unread: bool,
}

/// Waits for the next request.
pub(super) async fn next(worker: &Worker, visitor: &mut Visitor) -> Next {
    let unread = !visitor.held.is_empty();
    if unread {
        visitor.moved = Instant::now();
    } else {
        visitor.held = Vec::new();
        visitor.unsent.free();
    }
    let mut head = Head { seen: 0, since: visitor.moved, unread };
    poll_fn(|cx| head.poll(cx, worker, visitor)).await
}

impl Head {
    fn poll(&mut self, cx: &mut Context<'_>, worker: &Worker, visitor: &mut Visitor) -> Poll<Next> {
        loop {
            if std::mem::take(&mut self.unread) {
                let held = std::mem::take(&mut visitor.held);
                if let Some(next) = self.look(worker, visitor, &held) {
                    return Poll::Ready(next);
                }
                visitor.held = held;
            }
            let Scratch { read, .. } = &mut *worker.scratch();
            match visitor.socket.poll_read(cx, read) {
                Poll::Pending => break,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::End),
                Poll::Ready(Ok(count)) if visitor.held.is_empty() => {
                    visitor.moved = Instant::now();
                    self.since = visitor.moved;
                    if let Some(next) = self.look(worker, visitor, &read[..count]) {
                        return Poll::Ready(next);
                    }
                    visitor.held.extend_from_slice(&read[..count]);
                }
                Poll::Ready(Ok(count)) => {
                    // The time for an answer begins when the head is whole.
                    visitor.moved = Instant::now();
                    visitor.held.extend_from_slice(&read[..count]);
                    self.unread = true;
                }
            }
        }
        let limits = &worker.shared.limits;
        let (deadline, verdict) = match worker.guests.stay() {
            _ if !visitor.held.is_empty() => {
                (self.since + limits.head, Next::Refused(Page::UPLOAD_TOO_SLOW))
            }
            Stay::Stopping(since) => (self.since.max(since) + limits.farewell, Next::End),
            // There is time: whoever is not hung up on loses no request that is on its way.
            Stay::Draining(_) | Stay::Welcome => (self.since + limits.idle, Next::End),
        };
        visitor.watch.poll(cx, deadline).map(|()| verdict)
    }

    /// The request at the beginning of `bytes`, where its head is whole; what is behind it is held.
    fn look(&mut self, worker: &Worker, visitor: &mut Visitor, bytes: &[u8]) -> Option<Next> {
        let max_bytes = worker.shared.limits.head_bytes;
        let end = match toehold_http::end(bytes, &mut self.seen, max_bytes) {
            Ok(end) => end?,
            Err(refusal) => return Some(Next::Refused(Page::refusal(refusal))),
        };
        Some(match Ask::read(worker, visitor, bytes, end) {
            Ok((ask, used)) => {
                visitor.held.clear();
                visitor.held.extend_from_slice(&bytes[used..]);
                Next::Ask(Box::new(ask))
            }
            Err(refusal) => Next::Refused(Page::refusal(refusal)),
        })
    }
}

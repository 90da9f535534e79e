//! The body of an answer on its way to a visitor, and what is left of the request's on its way to
//! the instance.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use toehold_http::Body;

use crate::ask::{Ask, Halt};
use crate::attempt::{Answered, Head};
use crate::guests::Stay;
use crate::meter::Flight;
use crate::upstream::Line;
use crate::visitor::{After, Visitor};
use crate::worker::{Scratch, Worker};

/// Why an answer is not passed on to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The instance broke off, or what it said is not well-formed.
    Instance,
    /// The visitor went away, takes nothing in, or does not go on with its body.
    Visitor,
    /// The answer did not go on for too long.
    Stuck,
    /// Another process has taken over, long enough ago.
    Over,
}

/// An answer on its way.
struct Relay<'a> {
    worker: &'a Worker,
    head: Head,
    line: Line,
    flight: &'a Flight,
    /// Nothing more of the request is sent.
    halted: bool,
}

/// How an answer was passed on.
pub(crate) struct Passed {
    /// What becomes of the visitor's connection.
    pub(crate) after: After,
    /// All of it was.
    pub(crate) whole: bool,
}

/// Passes the rest of an answer on.
pub(crate) async fn relay(
    worker: &Worker,
    visitor: &mut Visitor,
    ask: &mut Ask,
    answered: Answered,
) -> Passed {
    let Answered { head, line, flight } = answered;
    visitor.moved = head.at;
    ask.upload.is_answered();
    let mut relay = Relay { worker, head, line, flight: &flight, halted: false };
    let passed = poll_fn(|cx| relay.poll(cx, visitor, ask)).await;
    let Relay { head, line, .. } = relay;
    let whole = passed.is_ok();
    let after = match passed {
        Ok(()) => {
            if head.line_stays && ask.upload.is_sent() {
                worker.pools.keep(line, head.keep, visitor.moved);
            }
            if head.stays && !ask.upload.has_come() {
                Box::pin(ask.upload.discard(worker, visitor)).await;
            }
            if !head.stays && ask.upload.has_come() {
                // Left unread, what came just now would make the end a reset.
                let _ = poll_fn(|cx| Poll::Ready(visitor.poll_left(cx, worker))).await;
            }
            match (head.stays, ask.upload.has_come(), visitor.held.is_empty()) {
                (true, true, _) => After::Next,
                (false, true, true) => After::Close,
                _ => After::Linger,
            }
        }
        Err(cut) => {
            if !matches!(cut, Cut::Visitor | Cut::Over) {
                flight.failed();
            }
            // Where the framing of the answer shows that it was cut, the visitor gets what there is.
            if cut == Cut::Instance && !head.ends_by_close() { After::Linger } else { After::Reset }
        }
    };
    Passed { after, whole }
}

impl Relay<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        visitor: &mut Visitor,
        ask: &mut Ask,
    ) -> Poll<Result<(), Cut>> {
        let worker = self.worker;
        if !self.halted && !ask.upload.is_sent() {
            let sending = ask.upload.poll_send(cx, worker, visitor, &mut self.line.socket);
            self.flight.sent(ask.upload.take_uncounted());
            match sending {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Halt::Gone)) => return Poll::Ready(Err(Cut::Visitor)),
                // It has answered; what it does not want of the request is its own affair.
                Poll::Ready(Err(Halt::Instance(_) | Halt::Visitors(_))) => self.halted = true,
            }
        }
        if let Poll::Ready(passed) = self.poll_down(cx, visitor) {
            return Poll::Ready(passed);
        }
        if ask.upload.has_come() && visitor.poll_left(cx, worker).is_ready() {
            return Poll::Ready(Err(Cut::Visitor));
        }
        let limits = &worker.shared.limits;
        let uploaded_by = ask.upload.visitors_deadline(limits).filter(|_| !self.halted);
        let (deadline, cut) = match (visitor.blocked_since(), uploaded_by) {
            (Some(since), _) => (since + limits.write_stall, Cut::Visitor),
            (None, Some(by)) => (by.max(visitor.moved + limits.upload_gap), Cut::Visitor),
            (None, None) => (visitor.moved + limits.answer_gap, Cut::Stuck),
        };
        let (deadline, cut) = match worker.guests.stay() {
            Stay::Draining(since) if since + worker.shared.patience.answers < deadline => {
                (since + worker.shared.patience.answers, Cut::Over)
            }
            _ => (deadline, cut),
        };
        visitor.watch.poll(cx, deadline).map(|()| Err(cut))
    }

    fn poll_down(&mut self, cx: &mut Context<'_>, visitor: &mut Visitor) -> Poll<Result<(), Cut>> {
        loop {
            if visitor.is_behind() {
                if ready!(visitor.poll_flush(cx)).is_err() {
                    return Poll::Ready(Err(Cut::Visitor));
                }
                visitor.moved = Instant::now();
            }
            if self.head.body.has_ended() {
                return Poll::Ready(Ok(()));
            }
            let Scratch { read, said } = &mut *self.worker.scratch();
            let read = visitor.socket.room_for(read);
            let count = match ready!(self.line.socket.poll_read(cx, read)) {
                Ok(0) => return Poll::Ready(self.head.close()),
                Ok(count) => count,
                Err(_) => return Poll::Ready(Err(Cut::Instance)),
            };
            self.flight.came(count);
            let came = &read[..count];
            if self.head.pass(visitor, cx, came, said)?.is_err() {
                return Poll::Ready(Err(Cut::Visitor));
            }
            visitor.moved = Instant::now();
        }
    }
}

impl Head {
    /// Says what came of the body to the visitor.
    fn pass(
        &mut self,
        visitor: &mut Visitor,
        cx: &mut Context<'_>,
        came: &[u8],
        said: &mut Vec<u8>,
    ) -> Result<io::Result<()>, Cut> {
        let taken = if self.unchunks {
            self.body.each(came, |content| said.extend_from_slice(content))
        } else {
            self.body.take(came)
        };
        let taken = taken.map_err(|_| Cut::Instance)?;
        // More than the answer is out of step: whose answer would it be?
        self.line_stays &= taken.bytes == came.len();
        let direct = if self.unchunks { &[] } else { &came[..taken.bytes] };
        Ok(visitor.say(cx, [said, direct]))
    }

    /// The instance closed its end.
    fn close(&mut self) -> Result<(), Cut> {
        self.line_stays = false;
        match self.body {
            Body::UntilClose | Body::Ended => {
                self.body = Body::Ended;
                Ok(())
            }
            Body::Length(_) | Body::Chunked(_) => Err(Cut::Instance),
        }
    }

    /// Whether the visitor knows the end of the answer only by that of the connection.
    const fn ends_by_close(&self) -> bool {
        self.unchunks || matches!(self.body, Body::UntilClose)
    }
}

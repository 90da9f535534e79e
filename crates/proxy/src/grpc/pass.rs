//! An answer to a call is passed on, and what is left of the call beside it.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ::h2::Reason;

use crate::busy::Open;
use crate::channels::Place;
use crate::grpc::note::Note;
use crate::limits::Limits;
use crate::meter::Flight;
use crate::pipe::{End, Pipe};
use crate::watch::Watch;

/// A call both of whose directions are under way.
pub(super) struct Passing {
    /// From the visitor to the instance; `None` once nobody wants more of it.
    pub(super) asked: Option<Pipe>,
    /// From the instance to the visitor.
    pub(super) said: Pipe,
    /// At the instance, and on the connection to it.
    pub(super) flight: Flight,
    pub(super) _place: Place,
    pub(super) open: Open,
    pub(super) note: Note,
}

impl Passing {
    /// Passes it on to its end.
    pub(super) async fn pass(mut self, limits: &Limits) {
        let mut watch = Watch::new(Instant::now() + limits.write_stall);
        poll_fn(|cx| {
            let passed = self.poll(cx, &mut watch, limits);
            self.count();
            passed
        })
        .await;
    }

    fn poll(&mut self, cx: &mut Context<'_>, watch: &mut Watch, limits: &Limits) -> Poll<()> {
        if let Some(asked) = &mut self.asked {
            match asked.poll(cx) {
                Poll::Pending | Poll::Ready(End::Whole) => {}
                Poll::Ready(End::Unwanted) => self.asked = None,
                // The visitor left; the instance hears of it as this is dropped.
                Poll::Ready(End::Broken(_)) => return Poll::Ready(()),
            }
        }
        if let Poll::Ready(end) = self.said.poll(cx) {
            match end {
                End::Whole => self.note.whole = true,
                End::Broken(error) => {
                    self.flight.failed();
                    let reason = error.reason().filter(|&reason| reason != Reason::NO_ERROR);
                    self.said.to().send_reset(reason.unwrap_or(Reason::INTERNAL_ERROR));
                }
                End::Unwanted => {}
            }
            return Poll::Ready(());
        }
        if self.said.to().poll_reset(cx).is_ready() {
            return Poll::Ready(());
        }
        // A call may be silent for long in both directions, as an upgraded connection may.
        let asked = self.asked.as_ref().map_or(self.said.moved(), Pipe::moved);
        let deadline = if self.said.is_blocked() {
            self.said.moved() + limits.write_stall
        } else {
            self.said.moved().max(asked) + limits.tunnel_idle
        };
        ready!(watch.poll(cx, deadline));
        self.said.to().send_reset(Reason::CANCEL);
        Poll::Ready(())
    }

    fn count(&mut self) {
        let came = self.said.take_uncounted();
        let sent = self.asked.as_mut().map_or(0, Pipe::take_uncounted);
        if came + sent > 0 {
            self.open.stirs();
        }
        self.note.bytes += came;
        self.flight.came(usize::try_from(came).unwrap_or(usize::MAX));
        self.flight.sent(sent);
    }
}

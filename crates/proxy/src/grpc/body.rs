//! What an instance says to a call, on its way to the visitor.

use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ::h2::{Reason, SendStream};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};

use crate::channels::{Place, SoFar};
use crate::grpc::note::Note;
use crate::limits::Limits;
use crate::meter::Flight;
use crate::watch::Watch;

/// An answer to a call; the call is in flight for as long as this lives.
pub(super) struct Call {
    /// What comes; nothing where everything stands in the head.
    pub(super) coming: Option<Coming>,
    pub(super) note: Note,
}

/// What comes from an instance.
pub(super) struct Coming {
    pub(super) incoming: Incoming,
    pub(super) flight: Flight,
    /// The visitor's side of the call.
    pub(super) asked: Rc<SoFar>,
    /// On the connection it comes by.
    pub(super) _place: Place,
}

/// How passing on an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All was said, or the visitor wants to hear no more.
    Over,
    /// The visitor took nothing in for too long.
    Stalled,
}

/// An answer that is passed on.
pub(super) struct Saying {
    call: Call,
    to: SendStream<Bytes>,
    /// Came, and the visitor had no room for it yet.
    held: Bytes,
    /// When something came or went last.
    moved: Instant,
    watch: Watch,
}

impl Call {
    /// Whether everything stands in the head.
    pub(super) fn is_end_stream(&self) -> bool {
        self.coming.as_ref().is_none_or(|it| it.incoming.is_end_stream())
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { coming, note } = self;
        let Some(Coming { incoming, flight, .. }) = coming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                flight.came(bytes);
                note.bytes += bytes as u64;
                note.whole = frame.is_trailers();
            }
            Some(Err(_)) => flight.failed(),
            None => note.whole = true,
        }
        Poll::Ready(frame)
    }
}

impl Saying {
    /// Nothing of it was passed on yet.
    pub(super) fn new(call: Call, to: SendStream<Bytes>, limits: &Limits) -> Self {
        let moved = Instant::now();
        let watch = Watch::new(moved + limits.write_stall);
        Self { call, to, held: Bytes::new(), moved, watch }
    }

    /// Passes it on to its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, limits: &Limits) -> Poll<End> {
        let passed = self.poll_pass(cx);
        if passed.is_ready() || self.to.poll_reset(cx).is_ready() {
            return Poll::Ready(End::Over);
        }
        // A call may be silent for long in both directions, as an upgraded connection may.
        let (deadline, end) = if self.held.is_empty() {
            let asked = self.call.coming.as_ref().map_or(self.moved, |it| it.asked.moved());
            (self.moved.max(asked) + limits.tunnel_idle, End::Over)
        } else {
            (self.moved + limits.write_stall, End::Stalled)
        };
        ready!(self.watch.poll(cx, deadline));
        self.to.send_reset(Reason::CANCEL);
        Poll::Ready(end)
    }

    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while !self.held.is_empty() {
                self.to.reserve_capacity(self.held.len());
                let room = self.to.capacity().min(self.held.len());
                if room == 0 {
                    match ready!(self.to.poll_capacity(cx)) {
                        Some(Ok(_)) => continue,
                        Some(Err(_)) | None => return Poll::Ready(()),
                    }
                }
                self.moved = Instant::now();
                if self.to.send_data(self.held.split_to(room), false).is_err() {
                    return Poll::Ready(());
                }
            }
            // What the other side does not hear because it is gone does not matter.
            match ready!(self.call.poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.moved = Instant::now();
                    match frame.into_data() {
                        Ok(content) => self.held = content,
                        Err(frame) => {
                            let fields = frame.into_trailers().unwrap_or_default();
                            let _ = self.to.send_trailers(fields);
                            return Poll::Ready(());
                        }
                    }
                }
                Some(Err(error)) => {
                    self.to.send_reset(reason(&error));
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.to.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
        }
    }
}

/// Why an instance broke off, as it said so.
fn reason(error: &hyper::Error) -> Reason {
    let said = error.source().and_then(|it| it.downcast_ref::<::h2::Error>());
    said.and_then(::h2::Error::reason).unwrap_or(Reason::INTERNAL_ERROR)
}

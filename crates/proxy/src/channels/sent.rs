//! What a visitor says in a call, on its way to an instance.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use ::h2::RecvStream;
use bytes::Bytes;
use hyper::body::{Body, Frame};

/// A call's body.
#[derive(Debug)]
pub(crate) struct Sent {
    coming: RecvStream,
    so_far: Rc<SoFar>,
}

/// How far a call's body has come.
#[derive(Debug)]
pub(crate) struct SoFar {
    whole: Cell<bool>,
    moved: Cell<Instant>,
}

impl SoFar {
    /// Whether it came whole.
    pub(crate) const fn is_whole(&self) -> bool {
        self.whole.get()
    }

    /// When some of it came last.
    pub(crate) const fn moved(&self) -> Instant {
        self.moved.get()
    }
}

impl Sent {
    /// With how far it has come.
    pub(crate) fn new(coming: RecvStream) -> (Self, Rc<SoFar>) {
        let (whole, moved) = (Cell::new(coming.is_end_stream()), Cell::new(Instant::now()));
        let so_far = Rc::new(SoFar { whole, moved });
        (Self { coming, so_far: so_far.clone() }, so_far)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ::h2::Error>>> {
        if let Some(content) = ready!(self.coming.poll_data(cx)) {
            let content = content?;
            // The visitor may send as much more: it is asked for only where the instance has room.
            self.coming.flow_control().release_capacity(content.len())?;
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        self.coming.poll_trailers(cx).map(|it| it.transpose().map(|it| it.map(Frame::trailers)))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = ::h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ::h2::Error>>> {
        let frame = ready!(self.poll(cx));
        self.so_far.whole.set(frame.is_none() || self.coming.is_end_stream());
        self.so_far.moved.set(Instant::now());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.coming.is_end_stream()
    }
}

//! What a visitor says in a call, on its way to an instance.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A call's body; whether it came whole is known elsewhere, too.
#[derive(Debug)]
pub(crate) struct Sent {
    incoming: Incoming,
    whole: Rc<Cell<bool>>,
}

impl Sent {
    pub(crate) fn new(incoming: Incoming) -> (Self, Rc<Cell<bool>>) {
        let whole = Rc::new(Cell::new(incoming.is_end_stream()));
        (Self { incoming, whole: whole.clone() }, whole)
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        self.whole.set(frame.is_none() || self.incoming.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

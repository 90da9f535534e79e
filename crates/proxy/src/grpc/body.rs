//! What an instance says to a call, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};

use crate::meter::Flight;

/// An answer to a call; the call is in flight for as long as this lives.
pub(crate) struct Call(Option<(Incoming, Flight)>);

impl Call {
    pub(super) const fn new(incoming: Incoming, flight: Flight) -> Self {
        Self(Some((incoming, flight)))
    }

    /// Everything stands in the head.
    pub(super) const fn nothing() -> Self {
        Self(None)
    }
}

impl Body for Call {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some((incoming, flight)) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => flight.came(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(_)) => flight.failed(),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }
}

//! What an instance says to a call, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming};

use crate::grpc::note::Note;
use crate::meter::Flight;

/// An answer to a call; the call is in flight for as long as this lives.
pub(crate) struct Call {
    /// What comes; nothing where everything stands in the head.
    coming: Option<(Incoming, Flight)>,
    note: Note,
}

impl Call {
    pub(super) const fn new(coming: Option<(Incoming, Flight)>, note: Note) -> Self {
        Self { coming, note }
    }
}

impl Body for Call {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { coming, note } = &mut *self;
        let Some((incoming, flight)) = coming else { return Poll::Ready(None) };
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

    fn is_end_stream(&self) -> bool {
        self.coming.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }
}

//! The body of an answer on its way to a visitor.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::meter::Flight;
use crate::upstream::Lease;
use crate::visit::Busy;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Download {
    /// What the proxy itself says; nothing where it was said.
    Text(Option<Bytes>, #[expect(dead_code, reason = "it counts by being there")] Busy),
    /// What an instance says.
    Stream(Stream),
}

/// What an instance says, as it comes.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) incoming: Incoming,
    pub(crate) ended: bool,
    /// The end of the answer is the end of the connection.
    pub(crate) ends_with_connection: bool,
    /// The connection to the instance; kept for another request once the answer is through.
    pub(crate) lease: Option<Lease>,
    pub(crate) flight: Flight,
    pub(crate) busy: Busy,
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Text(text, _) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text, _) => text.is_none(),
            Self::Stream(stream) => stream.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text, _) => {
                let bytes = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(0))
            }
            Self::Stream(stream) => stream.incoming.size_hint(),
        }
    }
}

impl Stream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Err(error)) => {
                self.flight.meter().failed(self.flight.thread());
                if self.ends_with_connection {
                    self.busy.reset_at_end();
                }
                Poll::Ready(Some(Err(error)))
            }
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            None => {
                self.ended = true;
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && (self.ended || self.incoming.is_end_stream())
        {
            lease.give_back();
        }
    }
}

//! A stream of HTTP/2, seen as a connection of HTTP/1.1 with one request.
//!
//! The engine reads the request from it and writes the answer to it, as from and to any socket: so
//! all that holds of a request of HTTP/1.1, from the strict reading of its head on, holds of one of
//! HTTP/2. What is written is taken apart again, and sent as frames.

mod answer;
mod request;

use std::io;
use std::task::{Context, Poll, ready};

use ::h2::RecvStream;
use ::h2::server::SendResponse;
use bytes::Bytes;
use hyper::{Method, Request};

use crate::busy::Open;
use crate::stream::answer::Said;
use crate::stream::request::Asked;

/// How a request is answered.
pub(crate) type Respond = SendResponse<Bytes>;

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    asked: Asked,
    said: Said,
    open: Open,
}

impl Stream {
    /// Of a request.
    pub(crate) fn new(request: Request<RecvStream>, respond: Respond, open: Open) -> Self {
        let to_head = request.method() == Method::HEAD;
        Self { asked: Asked::new(request), said: Said::new(respond, to_head), open }
    }

    /// Reads what is there of the request. Its end is not the end of its visitor, who waits for the
    /// answer; one who goes away is an error.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(read) = self.asked.poll_read(cx, space) {
            self.open.stirs();
            return read;
        }
        if self.said.has_ended() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.said.poll_reset(cx));
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    /// Sends what the visitor has room for.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = ready!(self.said.poll_write(cx, bytes));
        self.open.stirs();
        Poll::Ready(wrote)
    }

    /// Nothing more is said. An error: that is no whole answer, and breaks off.
    pub(crate) fn ends(&mut self) -> io::Result<()> {
        self.said.ends()
    }
}

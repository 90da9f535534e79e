//! A stream of HTTP/2, seen as a connection of HTTP/1.1 with one request.
//!
//! The engine reads the request from it and writes the answer to it, as from and to any socket: so
//! all that holds of a request of HTTP/1.1, from the strict reading of its head on, holds of one of
//! HTTP/2. What is written is taken apart again, and waits here to be sent as frames.

mod answer;
mod request;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::Incoming;

pub(crate) use crate::stream::answer::{Piece, Said};
use crate::stream::request::Asked;

/// One end of a stream: the engine's.
#[derive(Debug)]
pub(crate) struct Stream {
    asked: Asked,
    said: Rc<RefCell<Said>>,
}

impl Stream {
    /// Of a request; what is answered is found at the other end.
    pub(crate) fn new(request: Request<Incoming>) -> (Self, Rc<RefCell<Said>>) {
        let to_head = request.method() == hyper::Method::HEAD;
        let said = Rc::new(RefCell::new(Said::new(to_head)));
        (Self { asked: Asked::new(request), said: said.clone() }, said)
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.said.borrow().has_left() {
            return Poll::Ready(Ok(0));
        }
        let read = self.asked.poll_read(cx, space);
        if self.asked.has_ended() {
            self.said.borrow_mut().heard = true;
        }
        read
    }

    /// Whoever takes what was written asks the engine again, so nobody needs to be woken.
    pub(crate) fn poll_write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.said.borrow_mut().take(bytes)
    }

    /// It will not end as if all had been said.
    pub(crate) fn give_up(&self) {
        self.said.borrow_mut().breaks_off();
    }
}

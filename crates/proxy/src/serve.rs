//! A visitor's connection is served: one request after the other, until one side has enough.
//!
//! While it waits for a request it holds neither a buffer nor a request: only its socket and a
//! timer.

mod next;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::exchange;
use crate::guests::Guest;
use crate::serve::next::{Next, next};
use crate::socket::Socket;
use crate::visitor::{After, Visitor};
use crate::worker::Worker;

/// Serves one connection until it ends. A stream of HTTP/2 is no guest of its own.
pub(crate) async fn serve(worker: Rc<Worker>, socket: Socket, peer: Rc<str>, guest: Option<Guest>) {
    poll_fn(|cx| {
        if let Some(guest) = &guest {
            guest.is_served_by(cx.waker());
        }
        Poll::Ready(())
    })
    .await;
    let mut visitor = Visitor::new(&worker, socket, peer);
    loop {
        let after = match next(&worker, &mut visitor).await {
            Next::Ask(ask) => {
                visitor.begins();
                // Apart, so that a connection that waits does not hold the room for it.
                Box::pin(exchange::exchange(&worker, &mut visitor, ask)).await
            }
            Next::Refused(page) => Box::pin(exchange::refuse(&worker, &mut visitor, page)).await,
            Next::End => After::Close,
        };
        match after {
            After::Next => {}
            After::Close if visitor.https => return Box::pin(visitor.close()).await,
            After::Close => return,
            After::Linger => return Box::pin(visitor.linger(&worker)).await,
            After::Reset => return visitor.socket.reset_at_end(),
        }
    }
}

//! A stream whose visitor takes nothing in is given up: the library itself waits for ever.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Executor;

use crate::h2::Busy;
use crate::watch::Watch;

/// Since when a piece of an answer is held that the visitor has no room for.
#[derive(Debug, Default)]
pub(super) struct Held(Cell<Option<Instant>>);

impl Held {
    /// A piece was handed over; the library asks for the next one when it is on its way.
    pub(super) fn begins(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// The library asks for the next one.
    pub(super) fn ends(&self) {
        self.0.set(None);
    }
}

/// Does the library's work on the streams of a connection, on the thread it came from.
#[derive(Clone)]
pub(super) struct Streams {
    /// That of the stream that comes next.
    pub(super) next: Rc<RefCell<Rc<Held>>>,
    pub(super) busy: Rc<Busy>,
    /// The longest a visitor may take in nothing.
    pub(super) stall: Duration,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, work: F) {
        let (held, busy, stall) = (self.next.take(), self.busy.clone(), self.stall);
        tokio::task::spawn_local(async move {
            let (mut work, mut watch) = (pin!(work), None);
            poll_fn(|cx| {
                if work.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let Some(since) = held.0.get() else { return Poll::Pending };
                let deadline = since + stall;
                ready!(watch.get_or_insert_with(|| Watch::new(deadline)).poll(cx, deadline));
                // What was handed over before waits in the library until the connection ends.
                busy.stalls();
                Poll::Ready(())
            })
            .await;
        });
    }
}

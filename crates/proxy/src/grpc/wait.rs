//! A call is sent, and the head of its answer waited for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use ::h2::{Error, RecvStream};
use hyper::Response;

use crate::channels::{Begun, Place};
use crate::grpc::Caller;
use crate::meter::Flight;
use crate::pipe::{End, Pipe};
use crate::watch::Watch;

/// A call that is being answered.
pub(super) struct Came {
    pub(super) response: Response<RecvStream>,
    /// What is left of the call goes on beside it.
    pub(super) asked: Pipe,
    pub(super) place: Place,
}

/// Why a call is not answered.
pub(super) enum Failed {
    /// It broke off; the call, where nothing of it was sent.
    Broken(Error, Option<RecvStream>),
    /// No answer came in time.
    Late,
    /// The visitor did not go on with what it has to say.
    Slow,
    /// The visitor left.
    Gone,
}

/// Sends a call and waits for the head of its answer, for at most `timeout` since something of the
/// call was sent last.
pub(super) async fn wait(
    begun: Begun,
    coming: RecvStream,
    visitor: &mut Caller,
    flight: &Flight,
    timeout: Duration,
) -> Result<Came, Failed> {
    let Begun { mut response, to, place } = begun;
    let ended = coming.is_end_stream();
    let mut asked = Pipe::new(coming, to, ended);
    let mut watch = Watch::new(Instant::now() + timeout);
    let (mut unwanted, mut touched) = (false, false);
    let came = poll_fn(|cx| {
        if !unwanted {
            let end = asked.poll(cx);
            let went = asked.take_uncounted();
            if went > 0 {
                touched = true;
                flight.sent(went);
                visitor.open.stirs();
            }
            match end {
                Poll::Pending | Poll::Ready(End::Whole) => {}
                // It may have answered without waiting for the rest.
                Poll::Ready(End::Unwanted) => unwanted = true,
                Poll::Ready(End::Broken(_)) => return Poll::Ready(Err(Failed::Gone)),
            }
        }
        if let Poll::Ready(came) = Pin::new(&mut response).poll(cx) {
            return Poll::Ready(came.map_err(|error| Failed::Broken(error, None)));
        }
        if visitor.respond.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Failed::Gone));
        }
        // What the instance does not take is not the visitor's fault.
        let said = asked.has_ended() || asked.is_blocked() || unwanted;
        let late = || if said { Failed::Late } else { Failed::Slow };
        watch.poll(cx, asked.moved() + timeout).map(|()| Err(late()))
    });
    match came.await {
        Ok(response) => Ok(Came { response, asked, place }),
        Err(Failed::Broken(error, _)) => {
            let untouched = !touched && !unwanted && !asked.is_blocked();
            Err(Failed::Broken(error, untouched.then(|| asked.into_source())))
        }
        Err(other) => Err(other),
    }
}

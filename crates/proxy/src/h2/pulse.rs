//! Whether a visitor is still there: who waits for answers is asked from time to time.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::h2::{Ping, PingPong};

use crate::busy::Busy;

/// How long a visitor who waits for answers is left alone, and how long it may take to say that it
/// is still there.
const ASK_AFTER: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(20);

/// The pulse of a connection.
pub(super) struct Pulse {
    pings: Option<PingPong>,
    /// When it was felt last, or asked for.
    felt: Instant,
    asked: bool,
    /// What had come and gone by then.
    stirs: u64,
}

impl Pulse {
    /// It was there just now.
    pub(super) fn new(pings: Option<PingPong>) -> Self {
        Self { pings, felt: Instant::now(), asked: false, stirs: 0 }
    }

    /// Looks at what was answered. The answer is when there is more to do.
    pub(super) fn next(&mut self, cx: &mut Context<'_>) -> Instant {
        let Some(pings) = self.pings.as_mut().filter(|_| self.asked) else {
            return self.felt + ASK_AFTER;
        };
        match pings.poll_pong(cx) {
            Poll::Pending => self.felt + ANSWER,
            // Where the connection broke off, that is heard elsewhere.
            Poll::Ready(_) => {
                (self.felt, self.asked) = (Instant::now(), false);
                self.felt + ASK_AFTER
            }
        }
    }

    /// Its time has come: asks, where somebody waits. `false`: it was asked and is not there. The
    /// question may be far behind what a slow reader takes in, so whatever came or went counts as well.
    pub(super) fn beat(&mut self, now: Instant, busy: &Busy) -> bool {
        let stirs = busy.stirs();
        let stirred = std::mem::replace(&mut self.stirs, stirs) != stirs;
        if self.asked && !stirred {
            return false;
        }
        self.felt = now;
        let waits = busy.since_idle().is_none();
        if let Some(pings) = self.pings.as_mut().filter(|_| waits && !self.asked) {
            self.asked = pings.send_ping(Ping::opaque()).is_ok();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// How a visitor begins, with an empty SETTINGS; and the head of a PING.
    const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06";

    /// Answers the question that it hears next.
    async fn answer(visitor: &mut DuplexStream) {
        let mut heard = Vec::new();
        let at = loop {
            visitor.read_buf(&mut heard).await.expect("it goes on");
            let found = heard.windows(PING.len()).position(|it| it == PING);
            if let Some(at) = found.filter(|at| heard.len() >= at + 17) {
                break at;
            }
        };
        heard[at + 4] = 1;
        visitor.write_all(&heard[at..at + 17]).await.expect("it is read");
    }

    #[tokio::test]
    async fn who_answers_or_takes_something_in_is_there_and_who_does_neither_is_not() {
        let (mut visitor, ours) = duplex(64 * 1024);
        visitor.write_all(BEGIN).await.expect("it is read");
        let mut connection = ::h2::server::handshake::<_>(ours).await.expect("it is HTTP/2");
        let mut pulse = Pulse::new(connection.ping_pong());
        let (now, busy) = (Instant::now(), Busy::new());
        assert!(pulse.beat(now, &busy) && !pulse.asked, "nobody waits for anything");
        let stream = busy.open();
        assert!(pulse.beat(now, &busy) && pulse.asked);
        let answered = async {
            poll_fn(|cx| {
                let _ = connection.poll_closed(cx);
                pulse.next(cx);
                if pulse.asked { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
        };
        tokio::join!(answered, answer(&mut visitor));
        assert!(pulse.beat(now, &busy) && pulse.asked, "it is asked again");
        stream.stirs();
        assert!(pulse.beat(now, &busy), "something went");
        assert!(!pulse.beat(now, &busy), "nothing did");
    }
}

//! One try at one instance, held to its time: from the first byte sent to the head of the answer.

mod answer;

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::ask::{Ask, Fault, Halt};
use crate::attempt::answer::Awaited;
use crate::instance::Instance;
use crate::meter::AppMeter;
use crate::upstream::{Line, Undialled};
use crate::visitor::Visitor;
use crate::worker::Worker;

pub(crate) use crate::attempt::answer::{Answered, Head};

/// The longest a kept connection was idle that gets a request which cannot be sent twice: the
/// instance may be closing an older one just now.
const FRESH: Duration = Duration::from_secs(1);

/// Why a try brought no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// This machine has no socket, port or memory left.
    Ours,
    /// The visitor's body cannot be taken.
    Visitors(Fault),
    /// The visitor went away.
    Gone,
    /// Nothing was sent.
    Unsent { why: String },
    /// It was sent, and the connection ended before an answer.
    Broken { reused: bool },
    /// It was sent, and the instance's machine is gone or cut off.
    CutOff,
    /// What came is not HTTP.
    Garbled,
    /// No answer came in time.
    TooSlow,
    /// It was answered at this moment that there is no such file, of which nothing was said to the
    /// visitor. The connection is for another request where it `stays`, for as long as the instance
    /// said.
    Missing { at: Instant, stays: bool, keep: Option<Duration> },
}

impl Trouble {
    /// Whether it is about the instance alone: another one may do better in the time that is left.
    pub(crate) const fn is_the_instances(&self) -> bool {
        match self {
            Self::Unsent { .. } | Self::Broken { .. } | Self::CutOff | Self::Garbled => true,
            Self::Ours | Self::Visitors(_) | Self::Gone | Self::TooSlow | Self::Missing { .. } => {
                false
            }
        }
    }

    /// A connection failed on which something was sent.
    pub(super) fn of_sent(error: &io::Error, reused: bool) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Self::CutOff,
            _ => Self::Broken { reused },
        }
    }
}

impl From<Undialled> for Trouble {
    fn from(undialled: Undialled) -> Self {
        match undialled {
            Undialled::Ours => Self::Ours,
            Undialled::Theirs(why) => Self::Unsent { why },
        }
    }
}

/// One try.
pub(crate) struct Attempt<'a> {
    pub(crate) worker: &'a Rc<Worker>,
    pub(crate) instance: &'a Instance,
    /// When the request began, when this try does, and how long an answer may take.
    pub(crate) begun: Instant,
    pub(crate) tried: Instant,
    pub(crate) timeout: Duration,
    /// The request may be sent twice.
    pub(crate) repeatable: bool,
    /// A connection broke: no kept one is trusted any more.
    pub(crate) wary: bool,
    /// The cookie to give with the answer.
    pub(crate) cookie: Option<&'a str>,
    /// What pays for asking another release where there is no such file; `None`: none is asked.
    pub(crate) beside: Option<&'a AppMeter>,
}

impl Attempt<'_> {
    /// Sends the request and waits for the head of its answer, which is said to the visitor.
    pub(crate) async fn run(
        &self,
        visitor: &mut Visitor,
        ask: &mut Ask,
    ) -> Result<(Head, Line), Trouble> {
        let max_idle = match (self.wary, self.repeatable) {
            (false, true) => self.worker.shared.limits.upstream_idle,
            (false, false) => FRESH,
            (true, _) => Duration::ZERO,
        };
        let pools = &self.worker.pools;
        if let Some(line) = pools.take(self.instance, max_idle, self.tried) {
            match self.over(line, visitor, ask).await {
                // Others that were kept may be gone as well: a fresh one settles it.
                Err(Trouble::Unsent { .. }) => {}
                other => return other,
            }
        }
        let opening = Box::pin(visitor.while_there(self.worker, pools.open(self.instance)));
        let line = opening.await.ok_or(Trouble::Gone)??;
        self.over(line, visitor, ask).await
    }

    async fn over(
        &self,
        mut line: Line,
        visitor: &mut Visitor,
        ask: &mut Ask,
    ) -> Result<(Head, Line), Trouble> {
        let mut awaited = Awaited::new(self.worker, self.cookie, self.beside);
        let mut halted = false;
        let came = poll_fn(|cx| self.poll(cx, &mut line, visitor, ask, &mut awaited, &mut halted));
        let came = came.await;
        let (meter, thread) = (&self.instance.meter, self.worker.index);
        meter.sent(thread, ask.upload.take_uncounted());
        meter.came(thread, awaited.came);
        match came {
            Ok(head) => Ok((head, line)),
            Err(trouble) => {
                if let Trouble::Missing { at, stays: true, keep } = trouble
                    && ask.upload.is_sent()
                {
                    self.worker.pools.keep(line, keep, at);
                }
                Err(trouble)
            }
        }
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        line: &mut Line,
        visitor: &mut Visitor,
        ask: &mut Ask,
        awaited: &mut Awaited<'_>,
        halted: &mut bool,
    ) -> Poll<Result<Head, Trouble>> {
        let worker = self.worker;
        if !*halted {
            match ask.upload.poll_send(cx, worker, visitor, &mut line.socket) {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Halt::Visitors(fault))) => {
                    return Poll::Ready(Err(Trouble::Visitors(fault)));
                }
                Poll::Ready(Err(Halt::Gone)) => return Poll::Ready(Err(Trouble::Gone)),
                Poll::Ready(Err(Halt::Instance(error))) if !ask.upload.is_begun() => {
                    let why = format!("it closed a connection at once: {error}");
                    return Poll::Ready(Err(Trouble::Unsent { why }));
                }
                // It may have answered without waiting for the rest.
                Poll::Ready(Err(Halt::Instance(_))) => *halted = true,
            }
        }
        if let Poll::Ready(came) = awaited.poll(cx, visitor, ask, line) {
            return Poll::Ready(came);
        }
        if let Poll::Ready(Err(_)) = visitor.poll_flush(cx) {
            return Poll::Ready(Err(Trouble::Gone));
        }
        if ask.upload.has_come() && visitor.poll_left(cx, worker).is_ready() {
            return Poll::Ready(Err(Trouble::Gone));
        }
        let (deadline, fault) =
            ask.upload.deadline(self.begun, self.timeout, &worker.shared.limits);
        visitor
            .watch
            .poll(cx, deadline)
            .map(|()| Err(fault.map_or(Trouble::TooSlow, Trouble::Visitors)))
    }
}

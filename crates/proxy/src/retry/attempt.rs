//! One try at one instance, held to its time.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::time::timeout_at;

use crate::instance::Instance;
use crate::retry::Run;
use crate::upload::{Fault, Progress, Upload};
use crate::upstream::{Failure, Lease};

/// The longest a kept connection was idle that gets a request which cannot be sent twice: the
/// instance may be closing an older one just now.
const FRESH: Duration = Duration::from_secs(1);

/// Why a try brought no answer.
pub(super) enum Trouble {
    /// This machine has no socket, port or memory left.
    Ours,
    /// The visitor's body cannot be taken.
    Visitors(Fault),
    /// Nothing was sent.
    Unsent { request: Box<Request<Upload>>, why: String },
    /// It was sent, and the connection ended before an answer.
    Broken { reused: bool },
    /// It was sent, and the instance's machine is gone or cut off.
    CutOff,
    /// What came is not HTTP.
    Garbled,
    /// No answer came in time.
    TooSlow,
}

impl Run<'_> {
    /// Sends the request to `instance` and waits for the head of its answer.
    pub(super) async fn attempt(
        &self,
        instance: &Instance,
        request: Request<Upload>,
        repeatable: bool,
    ) -> Result<(Response<Incoming>, Lease), Trouble> {
        let max_idle = match (self.wary, repeatable) {
            (false, true) => self.worker.shared.limits.upstream_idle,
            (false, false) => FRESH,
            (true, _) => Duration::ZERO,
        };
        let progress = request.body().progress();
        let mut sending = pin!(self.worker.pools.send(instance, request, max_idle, repeatable));
        loop {
            let by = self.deadline(progress.as_deref());
            match timeout_at(by.into(), &mut sending).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => return Err(trouble(failure, progress.as_deref())),
                Err(_) if self.deadline(progress.as_deref()) > Instant::now() => {}
                Err(_) if self.waits_for_visitor(progress.as_deref()) => {
                    return Err(Trouble::Visitors(Fault::TooSlow));
                }
                Err(_) => return Err(Trouble::TooSlow),
            }
        }
    }

    /// When it takes too long as things stand. The time for an answer is counted from when the
    /// request was there whole; before that, each piece the instance takes begins it anew, and
    /// the visitor is held to an average speed.
    fn deadline(&self, progress: Option<&Progress>) -> Instant {
        let timeout = self.app.timeout;
        match progress {
            None => self.begun + timeout,
            Some(progress) if progress.has_ended() => progress.last() + timeout,
            Some(progress) => {
                let end = progress.must_end_by(&self.worker.shared.limits);
                let waits = self.waits_for_visitor(Some(progress));
                if waits { end } else { end.min(progress.last() + timeout) }
            }
        }
    }

    /// Whether it is the visitor who does not go on.
    fn waits_for_visitor(&self, progress: Option<&Progress>) -> bool {
        progress.is_some_and(|progress| !progress.has_ended()) && self.visit.pulse.wants_body()
    }
}

/// What a failure means. Where the visitor's body was at fault, the connection broke by our hand.
fn trouble(failure: Failure, progress: Option<&Progress>) -> Trouble {
    if let Some(fault) = progress.and_then(Progress::fault) {
        return Trouble::Visitors(fault);
    }
    match failure {
        Failure::Connect(_, error) if is_ours(&error) => {
            tracing::warn!(%error, "no instance can be asked: too few files or ports here");
            Trouble::Ours
        }
        Failure::Connect(request, error) => Trouble::Unsent { request, why: why(&error) },
        Failure::Unsent(request) => {
            Trouble::Unsent { request, why: "it closed a connection at once".into() }
        }
        Failure::Sent { error, .. } if error.is_parse() => Trouble::Garbled,
        Failure::Sent { error, .. } if is_cut_off(&error) => Trouble::CutOff,
        Failure::Sent { reused, .. } => Trouble::Broken { reused },
    }
}

/// Whether the other machine acknowledged nothing, or the way to it is gone.
fn is_cut_off(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::TimedOut
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        )
    })
}

/// Whether a connection failed for want of something here: the instance is not to blame.
fn is_ours(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const EADDRNOTAVAIL: i32 = 99;
    const ENOBUFS: i32 = 105;
    matches!(error.raw_os_error(), Some(ENOMEM | ENFILE | EMFILE | EADDRNOTAVAIL | ENOBUFS))
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "it refuses connections".into(),
        io::ErrorKind::TimedOut => "it takes no connection in time".into(),
        _ => format!("it cannot be reached: {error}"),
    }
}

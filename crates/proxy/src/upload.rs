//! The body of a request on its way to an instance.

use std::cell::Cell;
use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use thiserror::Error;

use crate::limits::Limits;

/// What a visitor did wrong with a body. The instance is not to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Fault {
    /// It has more bytes than the app takes.
    #[error("the body is larger than the app takes")]
    TooLarge,
    /// It broke off, or is not well-formed.
    #[error("the body of the request broke off")]
    Broken,
    /// It did not go on.
    #[error("the body of the request did not go on")]
    TooSlow,
}

impl Fault {
    /// What a failed read says of the visitor.
    pub(crate) fn of(error: &hyper::Error) -> Self {
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::TimedOut) => Self::TooSlow,
            _ => Self::Broken,
        }
    }
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Upload {
    /// None.
    Empty,
    /// All of it, read before: it can be sent again.
    Whole(Bytes),
    /// As it comes.
    Stream(Incoming, Rc<Progress>),
}

/// How far a body has come; whoever waits for the answer looks at it.
#[derive(Debug)]
pub(crate) struct Progress {
    max_bytes: u64,
    begun: Instant,
    bytes: Cell<u64>,
    last: Cell<Instant>,
    ended: Cell<bool>,
    fault: Cell<Option<Fault>>,
}

impl Progress {
    /// Of a body that may have so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let now = Instant::now();
        Self {
            max_bytes,
            begun: now,
            bytes: Cell::new(0),
            last: Cell::new(now),
            ended: Cell::new(false),
            fault: Cell::new(None),
        }
    }

    /// Counts a piece in.
    pub(crate) fn add(&self, bytes: usize) -> Result<(), Fault> {
        let sum = self.bytes.get() + u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.set(sum);
        self.last.set(Instant::now());
        if sum > self.max_bytes { Err(self.fail(Fault::TooLarge)) } else { Ok(()) }
    }

    fn fail(&self, fault: Fault) -> Fault {
        self.fault.set(Some(fault));
        fault
    }

    /// What went wrong with it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// Whether all of it was sent.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// When the last piece came.
    pub(crate) fn last(&self) -> Instant {
        self.last.get()
    }

    /// When it is too late for more of it, if no more comes: a body is held to an average speed.
    pub(crate) fn must_end_by(&self, limits: &Limits) -> Instant {
        let earned = self.bytes.get() / limits.upload_bytes_per_second.max(1);
        self.begun + limits.upload_grace + Duration::from_secs(earned)
    }
}

impl Upload {
    /// How far it has come, where it comes as a stream.
    pub(crate) fn progress(&self) -> Option<Rc<Progress>> {
        match self {
            Self::Empty | Self::Whole(_) => None,
            Self::Stream(_, progress) => Some(progress.clone()),
        }
    }

    /// The same once more, where it is all there.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Whole(bytes) => Some(Self::Whole(bytes.clone())),
            Self::Stream(..) => None,
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            whole @ Self::Whole(_) => {
                let Self::Whole(bytes) = std::mem::replace(whole, Self::Empty) else {
                    return Poll::Ready(None);
                };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(incoming, progress) => loop {
                let frame = match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
                    Some(Ok(frame)) => frame,
                    Some(Err(error)) => {
                        return Poll::Ready(Some(Err(progress.fail(Fault::of(&error)))));
                    }
                    None => {
                        progress.ended.set(true);
                        return Poll::Ready(None);
                    }
                };
                // Fields behind a body are dropped: an instance was promised none.
                let Ok(data) = frame.into_data() else { continue };
                let counted = progress.add(data.len());
                progress.ended.set(incoming.is_end_stream());
                return Poll::Ready(Some(counted.map(|()| Frame::data(data))));
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(_) => false,
            Self::Stream(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(0)),
            Self::Stream(incoming, _) => incoming.size_hint(),
        }
    }
}

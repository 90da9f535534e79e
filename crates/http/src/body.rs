//! How a body ends, and how far one has come.

use std::ops::Range;

use crate::chunked::{Chunked, Kind};
use crate::head::Refusal;

/// How a head says that the body behind it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes; 0 where there is none.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// Where the connection does. Only answers have such.
    UntilClose,
}

/// A body that is being read: what is left of it.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// None is left.
    #[default]
    Ended,
    /// So many bytes are left, at least one.
    Length(u64),
    /// It comes in chunks.
    Chunked(Chunked),
    /// It ends where the connection does. Only answers have such.
    UntilClose,
}

/// What of some bytes belongs to a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// So many of them, its framing included.
    pub bytes: usize,
    /// So many of those are its content.
    pub content: u64,
    /// These are fields behind the last chunk, each with the end of its line.
    pub trailer: Range<usize>,
    /// It ends with them.
    pub ended: bool,
}

impl Body {
    /// Nothing is read of it yet.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::Ended,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Whether nothing of it is left.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// Whether it comes in chunks.
    #[must_use]
    pub const fn is_chunked(&self) -> bool {
        matches!(self, Self::Chunked(_))
    }

    /// Takes what belongs to it from the beginning of `bytes`. An error: its framing is wrong there.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Taken, Refusal> {
        self.each(bytes, |_| {})
    }

    /// The same; `content` is shown each piece of its content, without framing.
    pub fn each(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Result<Taken, Refusal> {
        let mut taken = Taken { bytes: 0, content: 0, trailer: 0..0, ended: false };
        let mut take = |taken: &mut Taken, count: usize| {
            content(&bytes[taken.bytes..taken.bytes + count]);
            taken.bytes += count;
            taken.content += u64::try_from(count).unwrap_or(u64::MAX);
        };
        match self {
            Self::Ended => taken.ended = true,
            Self::UntilClose => take(&mut taken, bytes.len()),
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= u64::try_from(here).unwrap_or(u64::MAX);
                taken.ended = *left == 0;
                take(&mut taken, here);
            }
            Self::Chunked(chunks) => {
                while taken.bytes < bytes.len() && !taken.ended {
                    let run = chunks.next(&bytes[taken.bytes..])?;
                    match run.kind {
                        Kind::Content => take(&mut taken, run.bytes),
                        Kind::Framing => taken.bytes += run.bytes,
                        Kind::Trailer => {
                            if taken.trailer.is_empty() {
                                taken.trailer = taken.bytes..taken.bytes;
                            }
                            taken.bytes += run.bytes;
                            taken.trailer.end = taken.bytes;
                        }
                    }
                    taken.ended = run.ended;
                }
            }
        }
        if taken.ended {
            *self = Self::Ended;
        }
        Ok(taken)
    }
}

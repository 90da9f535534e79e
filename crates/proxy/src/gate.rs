//! What is let in: the framing of requests, read strictly, before any HTTP engine sees a byte.
//!
//! Two parsers that disagree where a request ends are how requests are smuggled. So each byte from
//! a visitor passes one strict reading first; what allows two readings is refused rather than
//! repaired. It does no IO: bytes in, a verdict out.

mod chunked;
mod head;

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;

use chunked::Chunked;
pub(crate) use head::{Framing, Head, Refusal};

/// The framing of one connection: where in a request the next byte belongs.
#[derive(Debug)]
pub(crate) struct Gate {
    max_head_bytes: usize,
    max_headers: usize,
    place: Place,
    heads: u64,
    refused: Option<Refusal>,
}

/// Where the next byte belongs.
#[derive(Debug)]
enum Place {
    /// In a head; the first `seen` bytes of it were looked at and hold no end.
    Head { seen: usize },
    /// In a body with so many bytes to come.
    Body(u64),
    /// In a chunked body.
    Chunks(Chunked),
    /// Behind a request to upgrade: it depends on the answer.
    Undecided,
    /// In a tunnel: nothing is looked at any more.
    Tunnel,
}

/// What may be done with the bytes that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// So many of them may be passed on. The rest must be shown again, with more behind it.
    pub(crate) bytes: usize,
}

impl Gate {
    /// A new connection, with the limits of a head: bytes and number of fields.
    pub(crate) const fn new(max_head_bytes: usize, max_headers: usize) -> Self {
        Self {
            max_head_bytes,
            max_headers,
            place: Place::Head { seen: 0 },
            heads: 0,
            refused: None,
        }
    }

    /// How many heads were passed on.
    pub(crate) const fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether the next byte is one of a request's body.
    pub(crate) const fn in_body(&self) -> bool {
        matches!(self.place, Place::Body(_) | Place::Chunks(_))
    }

    /// Whether the next byte begins or goes on with a head.
    pub(crate) const fn in_head(&self) -> bool {
        matches!(self.place, Place::Head { .. })
    }

    /// Whether it waits to hear if an upgrade was agreed to.
    pub(crate) const fn is_undecided(&self) -> bool {
        matches!(self.place, Place::Undecided)
    }

    /// Says what came of a request to upgrade.
    pub(crate) fn decide(&mut self, upgraded: bool) {
        self.place = if upgraded { Place::Tunnel } else { Place::Head { seen: 0 } };
    }

    /// Whether it has seen something to refuse behind what it passed on.
    pub(crate) const fn will_refuse(&self) -> bool {
        self.refused.is_some()
    }

    /// Looks at bytes that came in, together with those it did not pass on before. What is right
    /// is passed on even where something to refuse stands behind it; that is said the next time.
    pub(crate) fn look(&mut self, bytes: &[u8]) -> Result<Pass, Refusal> {
        if let Some(refusal) = self.refused {
            return Err(refusal);
        }
        let mut passed = 0;
        self.refused = self.pass(bytes, &mut passed).err();
        match self.refused {
            Some(refusal) if passed == 0 => Err(refusal),
            _ => Ok(Pass { bytes: passed }),
        }
    }

    fn pass(&mut self, bytes: &[u8], passed: &mut usize) -> Result<(), Refusal> {
        loop {
            let rest = &bytes[*passed..];
            match &mut self.place {
                Place::Tunnel => {
                    *passed = bytes.len();
                    return Ok(());
                }
                Place::Undecided => return Ok(()),
                Place::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= u64::try_from(here).unwrap_or(u64::MAX);
                    *passed += here;
                    if *left > 0 {
                        return Ok(());
                    }
                    self.place = Place::Head { seen: 0 };
                }
                Place::Chunks(chunks) => {
                    let (used, ended) = chunks.advance(rest)?;
                    *passed += used;
                    if !ended {
                        return Ok(());
                    }
                    self.place = Place::Head { seen: 0 };
                }
                Place::Head { seen } => {
                    let Some(len) = head::end(rest, seen, self.max_head_bytes)? else {
                        return Ok(());
                    };
                    let head = head::check(&rest[..len], self.max_headers)?;
                    *passed += len;
                    self.heads += 1;
                    self.place = behind(head);
                }
            }
        }
    }
}

/// Where the byte behind a head belongs. A request that asks to upgrade and has a body is read as
/// an ordinary one: no protocol in use needs both, and the end of the body would be in doubt.
fn behind(head: Head) -> Place {
    match head.framing {
        Framing::Length(0) if head.upgrade => Place::Undecided,
        Framing::Length(0) => Place::Head { seen: 0 },
        Framing::Length(left) => Place::Body(left),
        Framing::Chunked => Place::Chunks(Chunked::default()),
    }
}

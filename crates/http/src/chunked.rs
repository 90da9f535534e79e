//! A chunked body, read strictly: only its sizes and its end, never its content.

use crate::head::{Refusal, is_token, is_value};

/// The longest line of a size with its extensions, in bytes. Extensions carry nothing that an app
/// gets to see, so a flood of them is an attack.
const MAX_SIZE_LINE_BYTES: u32 = 256;

/// The most bytes of fields behind the last chunk.
const MAX_TRAILER_BYTES: u32 = 8 * 1024;

/// Where in a chunked body the next byte belongs.
#[derive(Clone, Debug)]
pub struct Chunked {
    place: Place,
    /// The size of the chunk as far as it was read, then what is left of it.
    left: u64,
    /// Bytes of the line, or of the trailer, so far.
    line: u32,
}

/// Bytes that are the same to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) bytes: usize,
    pub(crate) kind: Kind,
    /// The body ends with them.
    pub(crate) ended: bool,
}

/// What bytes of a chunked body are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What was to be sent.
    Content,
    /// Sizes and the ends of lines.
    Framing,
    /// Fields behind the last chunk.
    Trailer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first digit of a size.
    SizeFirst,
    Size,
    Extension,
    /// After the CR of a size's line.
    SizeEnd,
    Content,
    /// Before the CR behind the content.
    ContentCr,
    ContentLf,
    /// At the beginning of a line behind the last chunk.
    TrailerFirst,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    Ended,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { place: Place::SizeFirst, left: 0, line: 0 }
    }
}

impl Chunked {
    /// The first run of `bytes`, of which there is at least one.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Run, Refusal> {
        if self.place == Place::Content {
            let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left -= u64::try_from(here).unwrap_or(u64::MAX);
            if self.left == 0 {
                self.place = Place::ContentCr;
            }
            return Ok(Run { bytes: here, kind: Kind::Content, ended: false });
        }
        let mut kind = None;
        for (at, &byte) in bytes.iter().enumerate() {
            let (before, line) = (self.place, self.line);
            let after = self.step(byte)?;
            // The end of the last line of a trailer that has none is its whole.
            let here = match (before, after) {
                (Place::TrailerFirst, Place::EndLf) | (Place::EndLf, _) => Kind::Framing,
                (
                    Place::TrailerFirst
                    | Place::TrailerName
                    | Place::TrailerValue
                    | Place::TrailerLf,
                    _,
                ) => Kind::Trailer,
                _ => Kind::Framing,
            };
            if *kind.get_or_insert(here) != here {
                self.line = line;
                return Ok(Run { bytes: at, kind: kind.unwrap_or(here), ended: false });
            }
            self.place = after;
            if matches!(after, Place::Content | Place::Ended) {
                return Ok(Run { bytes: at + 1, kind: here, ended: after == Place::Ended });
            }
        }
        Ok(Run { bytes: bytes.len(), kind: kind.unwrap_or(Kind::Framing), ended: false })
    }

    /// Where the byte after this one belongs; this one is not content.
    fn step(&mut self, byte: u8) -> Result<Place, Refusal> {
        self.line += 1;
        let in_trailer = matches!(
            self.place,
            Place::TrailerFirst | Place::TrailerName | Place::TrailerValue | Place::TrailerLf
        );
        if self.line > if in_trailer { MAX_TRAILER_BYTES } else { MAX_SIZE_LINE_BYTES } {
            return Err(Refusal::Malformed("a chunk has too much beside its data"));
        }
        match (self.place, byte) {
            (Place::SizeFirst | Place::Size, digit) if digit.is_ascii_hexdigit() => {
                self.digit(digit)?;
                Ok(Place::Size)
            }
            (Place::Size, b';') => Ok(Place::Extension),
            (Place::Size | Place::Extension, b'\r') => Ok(Place::SizeEnd),
            (Place::Extension, byte) if is_value(byte) => Ok(Place::Extension),
            (Place::SizeEnd, b'\n') => {
                self.line = 0;
                Ok(if self.left == 0 { Place::TrailerFirst } else { Place::Content })
            }
            (Place::ContentCr, b'\r') => Ok(Place::ContentLf),
            (Place::ContentLf, b'\n') => {
                self.line = 0;
                Ok(Place::SizeFirst)
            }
            (Place::TrailerFirst, b'\r') => {
                // What follows counts as a line of its own.
                self.line = 0;
                Ok(Place::EndLf)
            }
            (Place::EndLf, b'\n') => Ok(Place::Ended),
            (Place::TrailerFirst | Place::TrailerName, byte) if is_token(byte) => {
                Ok(Place::TrailerName)
            }
            (Place::TrailerName, b':') => Ok(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerLf),
            (Place::TrailerValue, byte) if is_value(byte) => Ok(Place::TrailerValue),
            (Place::TrailerLf, b'\n') => Ok(Place::TrailerFirst),
            _ => Err(Refusal::Malformed("the chunks of the body are not well-formed")),
        }
    }

    fn digit(&mut self, digit: u8) -> Result<(), Refusal> {
        let value = char::from(digit).to_digit(16).map_or(0, u64::from);
        // Sixteen digits would do, but nobody sends an exabyte.
        if self.left >= 1 << 56 {
            return Err(Refusal::Malformed("a chunk is larger than any body"));
        }
        self.left = self.left << 4 | value;
        Ok(())
    }
}

//! A chunked body, read strictly: only its sizes and its end, never its content.

use super::head::{Refusal, is_token, is_value};

/// The longest line of a size with its extensions, in bytes. Extensions carry nothing that an app
/// gets to see, so a flood of them is an attack.
const MAX_SIZE_LINE_BYTES: u32 = 256;

/// The most bytes of fields behind the last chunk.
const MAX_TRAILER_BYTES: u32 = 8 * 1024;

/// Where in a chunked body the next byte belongs.
#[derive(Debug)]
pub(super) struct Chunked {
    place: Place,
    /// The size of the chunk as far as it was read, then what is left of it.
    left: u64,
    /// Bytes of the line, or of the trailer, so far.
    line: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before the first digit of a size.
    SizeFirst,
    Size,
    Extension,
    /// After the CR of a size's line.
    SizeEnd,
    Data,
    /// Before the CR behind the data.
    DataCr,
    DataLf,
    /// At the beginning of a line behind the last chunk.
    TrailerFirst,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { place: Place::SizeFirst, left: 0, line: 0 }
    }
}

impl Chunked {
    /// Goes on through `bytes`: how many belong to the body, and whether it ended with them.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, bool), Refusal> {
        let mut at = 0;
        while at < bytes.len() {
            if matches!(self.place, Place::Data) {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.left -= u64::try_from(here).unwrap_or(u64::MAX);
                at += here;
                if self.left == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            if matches!(self.place, Place::EndLf) {
                return if bytes[at] == b'\n' { Ok((at + 1, true)) } else { Err(wrong()) };
            }
            self.place = self.step(bytes[at])?;
            at += 1;
        }
        Ok((at, false))
    }

    /// One byte outside of the data.
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
                Ok(if self.left == 0 { Place::TrailerFirst } else { Place::Data })
            }
            (Place::DataCr, b'\r') => Ok(Place::DataLf),
            (Place::DataLf, b'\n') => {
                self.line = 0;
                Ok(Place::SizeFirst)
            }
            (Place::TrailerFirst, b'\r') => Ok(Place::EndLf),
            (Place::TrailerFirst | Place::TrailerName, byte) if is_token(byte) => {
                Ok(Place::TrailerName)
            }
            (Place::TrailerName, b':') => Ok(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerLf),
            (Place::TrailerValue, byte) if is_value(byte) => Ok(Place::TrailerValue),
            (Place::TrailerLf, b'\n') => Ok(Place::TrailerFirst),
            _ => Err(wrong()),
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

const fn wrong() -> Refusal {
    Refusal::Malformed("the chunks of the body are not well-formed")
}

//! Reading a piece of a log.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use toehold_core::wire::agent::{LogFrom, LogPiece};

use crate::journal::index::Index;

/// How far back the beginning of a line is looked for.
const LINE_BYTES: u64 = 64 * 1024;

/// Reads at most `max_bytes`; a piece that is not the last ends with a line where one ends in it,
/// and no piece ends within a character.
pub(super) fn read(
    file: &File,
    index: &Index,
    from: LogFrom,
    max_bytes: u64,
) -> io::Result<LogPiece> {
    let (head, before) = (index.head(), index.before());
    let size = file.metadata()?.len();
    let start = match from {
        LogFrom::Offset(at) => at.saturating_sub(before),
        LogFrom::Since(at) => index.written_before(at),
        LogFrom::Tail(bytes) => line_start(file, head, size.saturating_sub(bytes))?,
    };
    let start = start.clamp(head.min(size), size);
    let end = size.min(start.saturating_add(max_bytes.max(1)));
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
    let count = fill(file, &mut bytes, start)?;
    bytes.truncate(count);
    let more = end < size;
    let whole = if more { last_line(&bytes) } else { None };
    bytes.truncate(whole.unwrap_or_else(|| last_character(&bytes)));
    let end = start + bytes.len() as u64;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(LogPiece { start: before + start, end: before + end, text, more })
}

/// The beginning of the line that holds `at`, or the first one after it where that line is long.
fn line_start(file: &File, head: u64, at: u64) -> io::Result<u64> {
    if at <= head {
        return Ok(head);
    }
    // The byte before tells whether a line begins here.
    let mut bytes = vec![0; usize::try_from(LINE_BYTES).unwrap_or(0)];
    let count = fill(file, &mut bytes, at - 1)?;
    let feed = bytes[..count].iter().position(|&b| b == b'\n');
    Ok(feed.map_or(at, |feed| at + feed as u64))
}

fn fill(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match file.read_at(&mut bytes[count..], at + count as u64) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

fn last_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|&b| b == b'\n').map(|at| at + 1)
}

/// Where the last whole character ends. What is not UTF-8 at all is passed on, replaced.
fn last_character(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for at in tail..bytes.len() {
        let wanted = match bytes[at] {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => continue,
        };
        if at + wanted > bytes.len() {
            return at;
        }
    }
    bytes.len()
}

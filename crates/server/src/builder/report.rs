//! Reports of tests and linters, as tools really write them: bare `&`, raw NULs, counts that lie.
//!
//! Cases are counted here, never taken from what a file says of itself. No entity is expanded but
//! the five of XML and characters by number. A file that ends in the middle is unreadable. What is
//! read is bounded: in bytes, in depth, and in how many tests and findings there are.

mod checkstyle;
mod gather;
mod junit;
mod sarif;
mod tap;
mod xml;
mod yaml;

pub use gather::{gather, remove};

use thiserror::Error;
use toehold_core::model::Report;
use toehold_core::pipeline::Format;
use toehold_core::plain::is_obeyed;

/// The largest report that is read, in bytes.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The most tests and findings that are read for one step. A file of a few megabytes may hold a
/// million of them, which nobody looks at.
pub const MAX_ENTRIES: usize = 100_000;

/// The longest message of a test or finding that is kept, in bytes.
const MAX_MESSAGE: usize = 8 * 1024;

/// The longest name of a suite that is kept, in bytes: it is said with each of its tests.
const MAX_SUITE: usize = 500;

/// Deeper than any tool nests its suites.
const MAX_DEPTH: usize = 100;

/// Why a report cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// It is larger than any report should be.
    #[error("it is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// It has nothing in it.
    #[error("it is empty")]
    Empty,
    /// Its writer was stopped, or is still writing.
    #[error("it ends in the middle")]
    CutOff,
    /// It is something else.
    #[error("it is not {format}: {why}")]
    Other {
        /// What it should be.
        format: &'static str,
        /// What tells that it is not, with the line where there is one.
        why: String,
    },
    /// Suites or elements lie in each other deeper than any tool puts them.
    #[error("it is nested more than {0} deep")]
    TooDeep(usize),
    /// It holds more than anybody could look at.
    #[error("there are more than {MAX_ENTRIES} tests or findings")]
    TooMany,
    /// The tool itself says that it did not do its work.
    #[error("it says that its tool's run did not succeed{0}")]
    Unsuccessful(String),
    /// A test was announced and did not come.
    #[error("it announces {planned} tests and has {seen}")]
    Short {
        /// How many the plan names.
        planned: usize,
        /// How many came.
        seen: usize,
    },
}

/// Reads a report. `checkout` is the absolute path by which files are told to be the app's own.
pub fn read(format: Format, bytes: &[u8], checkout: &str) -> Result<Report, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::Empty);
    }
    let text = String::from_utf8_lossy(bytes);
    match format {
        Format::Junit => junit::read(&text, checkout),
        Format::Tap => tap::read(&text, checkout),
        Format::Checkstyle => checkstyle::read(&text, checkout),
        Format::Sarif => sarif::read(&text, checkout),
    }
}

/// Puts one more test or finding to the others, while there is room.
fn put<T>(entries: &mut Vec<T>, entry: T) -> Result<(), Unreadable> {
    if entries.len() >= MAX_ENTRIES {
        return Err(Unreadable::TooMany);
    }
    entries.push(entry);
    Ok(())
}

/// What is shown to people: without control characters, at most `max` bytes.
fn shown(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > max {
            kept.push('…');
            break;
        }
        if c == '\n' || c == '\t' || !is_obeyed(c) {
            kept.push(c);
        }
    }
    kept
}

//! Reports of tests and linters, as tools really write them: bare `&`, raw NULs, counts that lie.
//!
//! Cases are counted here, never taken from what a file says of itself. No entity is expanded but
//! the five of XML and characters by number. A file that ends in the middle is unreadable.

mod checkstyle;
mod gather;
mod junit;
mod tap;
mod xml;
mod yaml;

pub use gather::{gather, remove};

use thiserror::Error;
use toehold_core::model::Report;
use toehold_core::pipeline::Format;

/// The largest report that is read, in bytes.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The longest message of a test or finding that is kept, in bytes.
const MAX_MESSAGE: usize = 8 * 1024;

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
    /// Elements lie in each other deeper than any tool puts them.
    #[error("its elements are nested more than {0} deep")]
    TooDeep(usize),
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
    }
}

/// What is shown to people: without control characters, at most `max` bytes.
fn shown(text: &str, max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > max {
            kept.push('…');
            break;
        }
        if c == '\n' || c == '\t' || !c.is_control() {
            kept.push(c);
        }
    }
    kept
}

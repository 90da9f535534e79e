//! A job of Jenkins as a `toehold.toml`: what could be carried over, and line by line what could
//! not. The same file gives the same answer; nothing of it is left out in silence.

mod config;
mod job;
mod script;
mod tree;

pub use tree::{MAX_BYTES, NotAJob};

/// What a job became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The text of a `toehold.toml`.
    pub toml: String,
    /// What became of the rest, in the order of the file.
    pub notes: Vec<Note>,
}

/// What became of something in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// What it is: the element, or a word for it.
    pub what: String,
    /// What to do, in a sentence.
    pub then: String,
}

/// Reads the `config.xml` of a job. It may be cut off; what is there counts.
pub fn import(text: &str) -> Result<Imported, NotAJob> {
    let root = tree::read(text)?;
    let mut job = job::Job::default();
    job.take(&root);
    job.notes.sort();
    Ok(Imported { toml: config::written(&job), notes: job.notes })
}

//! What holds of all bytes, tried with a corpus and changes of it.

mod heads;
mod holds;
mod mutated;
mod oracle;
mod reading;

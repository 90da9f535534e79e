//! What people see in a terminal. stdout is data, stderr is talk.

pub mod app;
pub mod build;
pub mod event;
pub mod paint;
pub mod table;
pub mod time;

use std::io::Write;

use serde::Serialize;

use crate::report::{Failure, Outcome};

/// Prints lines on stdout. A reader that has gone (`| head`) ends the command quietly.
pub fn line(text: &str) -> Outcome {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Failure::world("cannot write the answer").because(&error)),
    }
}

/// Prints a value as one line of JSON.
pub fn json(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::world("cannot write the answer as JSON").because(&error))?;
    line(&text)
}

/// Says something beside the answer.
pub fn talk(text: &str) {
    // Talk goes to stderr; where that is closed nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
}

//! Commands of the system that must succeed.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::error::SceneryError;

/// Runs a program that must succeed; gives what it printed.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, SceneryError> {
    let failed = |said: String| {
        let words = arguments.iter().map(|it| it.as_ref().to_string_lossy());
        let command = std::iter::once(program.into()).chain(words).collect::<Vec<_>>().join(" ");
        SceneryError::Command { command, said }
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
}

//! How a command ends: an exit code, and for a failure what, why and what to do.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use toehold_core::wire::api::Problem;

/// A failure as people see it: what could not be done, the chain of causes, one command to try.
#[derive(Debug)]
pub struct Failure {
    what: String,
    causes: Vec<String>,
    hint: String,
    code: Code,
}

/// What an exit code says. A panic, our own bug, ends with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The answer is no: a build failed, a flag is off.
    No = 1,
    /// It is the user's turn: wrong arguments, a missing file.
    User = 2,
    /// The world did not let us: a socket, a disk, a network.
    World = 3,
}

/// What every command comes to.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure that is the user's turn.
    pub fn user(what: impl fmt::Display) -> Self {
        Self::new(Code::User, what)
    }

    /// A failure of the world around.
    pub fn world(what: impl fmt::Display) -> Self {
        Self::new(Code::World, what)
    }

    /// A plain no.
    pub fn no(what: impl fmt::Display) -> Self {
        Self::new(Code::No, what)
    }

    fn new(code: Code, what: impl fmt::Display) -> Self {
        Self { what: what.to_string(), causes: Vec::new(), hint: String::new(), code }
    }

    /// Says what led to it: the error and every source behind it.
    pub fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// Says what to try.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = hint.to_string();
        self
    }

    /// What the control plane answered.
    pub fn from_problem(problem: Problem) -> Self {
        let code = match problem.status {
            409 | 412 => Code::No,
            400..=499 => Code::User,
            _ => Code::World,
        };
        Self { what: problem.title, causes: Vec::new(), hint: problem.hint, code }
    }
}

/// Shows a failure on stderr, as JSON where that was asked for, and gives its exit code.
pub fn finish(outcome: Outcome, json: bool) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    let mut err = std::io::stderr().lock();
    if json {
        let said = serde_json::json!({
            "error": failure.what, "causes": failure.causes, "hint": failure.hint,
        });
        let _ = writeln!(err, "{said}");
        return ExitCode::from(failure.code as u8);
    }
    // Nothing is left to do where stderr itself is gone.
    let _ = writeln!(err, "error: {}", failure.what);
    for cause in &failure.causes {
        let _ = writeln!(err, "  caused by: {cause}");
    }
    if !failure.hint.is_empty() {
        let _ = writeln!(err, "hint: {}", failure.hint);
    }
    ExitCode::from(failure.code as u8)
}

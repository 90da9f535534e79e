//! How a command ended.

use std::time::Duration;

use crate::signal;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal, which it did not get from Toehold.
    Signal(i32),
    /// It was killed since it took longer than this.
    TimedOut(Duration),
    /// It was killed since it said nothing for this long.
    Silent(Duration),
    /// It was killed since it went over a limit, in words: `it had more than 1024 processes`.
    Stopped(String),
    /// It could not be started.
    NotStarted(String),
}

impl Ended {
    /// Whether it ended with 0.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// In short: `exit code 3`, `killed by SIGSEGV`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Code(code) => match signal_behind(*code) {
                Some(name) => format!("exit code {code} ({name})"),
                None => format!("exit code {code}"),
            },
            Self::Signal(signal) => format!("killed by {}", signal::name(*signal)),
            Self::TimedOut(limit) => format!("timed out after {}", time(*limit)),
            Self::Silent(limit) => format!("killed after {} without output", time(*limit)),
            Self::Stopped(why) => format!("stopped: {why}"),
            Self::NotStarted(why) => format!("could not be started: {why}"),
        }
    }

    /// As the end of a sentence about the command.
    pub(super) fn happened(&self) -> String {
        match self {
            Self::Code(_) => format!("ended with {}", self.words()),
            Self::Signal(_) => format!("was {}", self.words()),
            Self::TimedOut(_) | Self::NotStarted(_) => self.words(),
            Self::Silent(limit) => format!("said nothing for {} and was killed", time(*limit)),
            Self::Stopped(why) => format!("was stopped: {why}"),
        }
    }
}

/// The signal a shell speaks of with a code above 128.
fn signal_behind(code: i32) -> Option<String> {
    let signal = code.checked_sub(128).filter(|signal| (1..=31).contains(signal))?;
    Some(signal::name(signal))
}

fn time(limit: Duration) -> String {
    crate::spec::show_duration(limit)
}

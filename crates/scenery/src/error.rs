//! What keeps the scenery from being made.

use std::io;

/// Why a part of the scenery is not there.
#[derive(Debug, thiserror::Error)]
pub enum SceneryError {
    /// This user may not make network namespaces.
    #[error("making network namespaces takes root")]
    NotRoot,
    /// The system refused.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was to be done: `write the host's key`.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// A command was run and failed.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command with its arguments.
        command: String,
        /// What it printed on standard error, or how it ended.
        said: String,
    },
    /// What was started does not answer.
    #[error("{what} does not answer after {seconds} s")]
    Silent {
        /// What: `the sshd of web1`.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// There are as many hosts as there is room for.
    #[error("a network has room for {most} hosts, and it is full")]
    Full {
        /// The most there may be.
        most: u8,
    },
}

impl SceneryError {
    /// For `map_err`: the system refused to do this.
    pub(crate) const fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}

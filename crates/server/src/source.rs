//! Where commits come from: a push to Toehold itself, a forge's webhook, the work in a folder.
//!
//! Git is run by its arguments, never through a shell, with an environment of its own: no name,
//! ref or address from outside becomes an option, a helper or a configuration.

pub mod git;
pub mod hooks;
pub mod remote;
pub mod repository;
pub mod service;
pub mod update;
pub mod webhook;
pub mod worktree;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use toehold_core::model::CommitId;

/// What could not be done with a repository.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The program is missing or cannot be run.
    #[error("cannot run `git`: install it, version 2.30 or newer")]
    Start(#[source] io::Error),
    /// Git said no.
    #[error("cannot {what}: git ended with {exit}{}", said(.stderr))]
    Git {
        /// What was to be done: `fetch 8c1f2ab from …`.
        what: String,
        /// `code 128`, `signal 9`.
        exit: String,
        /// The last of what it said, at most 2 KiB.
        stderr: String,
    },
    /// It took too long; the whole process group was killed.
    #[error("cannot {what}: git was stopped after {} s", .after.as_secs())]
    TimedOut {
        /// What was to be done.
        what: String,
        /// The limit.
        after: Duration,
    },
    /// It answered more than anybody should read.
    #[error("cannot {what}: the answer is longer than {max_bytes} bytes")]
    TooLong {
        /// What was to be done.
        what: String,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// It answered something else than git does.
    #[error("cannot {what}: git answered {answer:?}")]
    Answer {
        /// What was to be done.
        what: String,
        /// The beginning of the answer.
        answer: String,
    },
    /// A file or folder of ours cannot be read or written.
    #[error("cannot {what} {}", .path.display())]
    File {
        /// `write`, `read`, `create`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no repository where one should be.
    #[error("there is no git repository at {}", .path.display())]
    NoRepository {
        /// Where.
        path: PathBuf,
    },
    /// A file of a commit is there but cannot be used.
    #[error("{path} of commit {commit} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// The commit, short.
        commit: String,
        /// Why.
        why: String,
    },
    /// The folder of objects a hook named is not one of this repository.
    #[error("{} is not where a push into this repository waits", .path.display())]
    NotQuarantine {
        /// The folder.
        path: PathBuf,
    },
    /// The remote has no such branch.
    #[error("{remote} has no branch {branch:?}")]
    NoBranch {
        /// The branch.
        branch: String,
        /// The remote.
        remote: String,
    },
    /// The remote has no such commit, or none that a branch or tag of it leads to.
    #[error("{remote} has no commit {commit}")]
    NotThere {
        /// The commit.
        commit: CommitId,
        /// The remote.
        remote: String,
    },
    /// The remote's name leads to where nothing is fetched from.
    #[error(
        "{remote} leads to {address}, which is nobody's, or where clouds keep a machine's own \
         secrets: nothing is fetched from there"
    )]
    NoHost {
        /// The remote.
        remote: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// There is nothing to deploy yet.
    #[error("{} has no commit yet: commit something first", .path.display())]
    NoCommit {
        /// The folder.
        path: PathBuf,
    },
}

impl SourceError {
    /// Whether it may work when tried again later: the network, the other side, a full machine.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Start(_) | Self::File { .. } => true,
            Self::Git { stderr, .. } => !PERMANENT.iter().any(|words| stderr.contains(words)),
            Self::TooLong { .. }
            | Self::Answer { .. }
            | Self::NoRepository { .. }
            | Self::Unusable { .. }
            | Self::NotQuarantine { .. }
            | Self::NoBranch { .. }
            | Self::NotThere { .. }
            | Self::NoHost { .. }
            | Self::NoCommit { .. } => false,
        }
    }
}

/// What git says (in English, which it is asked to speak) where trying again is of no use.
const PERMANENT: [&str; 7] = [
    "Authentication failed",
    "could not read Username",
    "Permission denied",
    "not our ref",
    "Repository not found",
    "does not appear to be a git repository",
    "not allowed",
];

fn said(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

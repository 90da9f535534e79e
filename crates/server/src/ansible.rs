//! An app's own Ansible playbook, run on machines before they take the app.
//!
//! The user's `ansible-playbook` does the work. What it does is heard through a callback plugin of
//! ours, which says each event as a line of JSON in the shape of ansible-runner; its exit code alone
//! does not tell a machine that cannot be reached from a playbook that cannot be read. Its output
//! goes to a file: the SSH connections it leaves open for a while would hold a pipe.

mod event;
mod recap;
mod record;
mod run;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use toehold_core::model::MachineName;
use toehold_host::process::LaunchError;

pub use recap::Ended;
pub use record::{Record, output, sweep};
pub use run::run;

/// What is to be run.
pub struct Play<'a> {
    /// A checkout of the app's repository.
    pub checkout: &'a Path,
    /// Where the playbook lies in it.
    pub playbook: &'a str,
    /// The inventory, in the form of Ansible's YAML plugin.
    pub inventory: &'a Value,
    /// The host key of each machine, in the form of `known_hosts`, by its name.
    pub known_hosts: &'a str,
    /// The machines of the inventory it is limited to.
    pub machines: &'a [MachineName],
    /// The longest it may take.
    pub timeout: Duration,
    /// What of this machine's environment it may know.
    pub environment: Vec<(OsString, OsString)>,
    /// Where what it says is kept.
    pub record: &'a Record,
}

/// What is said of a run while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A task begins.
    Began {
        /// Its name.
        task: String,
    },
    /// A task was done, or failed, on every machine that had it.
    Done {
        /// Its name, and how it went: `Install nginx: changed on web1, ok on web2`.
        text: String,
        /// Where it stands: `ops/site.yml:12`.
        place: String,
        /// How long it took where it took longest.
        took: Duration,
    },
}

/// Why a run came to nothing on any machine.
#[derive(Debug, Error)]
pub enum PlayError {
    /// There is no Ansible.
    #[error(
        "ansible-playbook is not installed on the machine Toehold runs on: install Ansible there \
         (`apt install ansible`, or `pipx install ansible`) so that it is in Toehold's PATH"
    )]
    NoAnsible,
    /// There is no such playbook.
    #[error("the commit has no playbook {0}: see `playbook` under [machines] in toehold.toml")]
    NoPlaybook(String),
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] LaunchError),
    /// A file of the run cannot be written or read.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Ansible gave up before the first play.
    #[error("ansible-playbook cannot use the playbook ({exit}): {said}")]
    Unreadable {
        /// How it ended.
        exit: String,
        /// The last of what it said.
        said: String,
    },
}

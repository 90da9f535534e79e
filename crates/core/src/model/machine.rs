//! Machines: where instances run, and how far each has come.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{AppName, CommitId, MachineName, NameError};
use crate::time::Timestamp;

/// Who gives machines.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The machine Toehold runs on: instances are its processes.
    #[default]
    Local,
    /// Machines that are there already and are reached by SSH; all apps share them.
    Ssh,
    /// Machines of `DigitalOcean`, made when an app needs one and removed when it does not.
    DigitalOcean,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Ssh, Self::DigitalOcean];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Ssh => "ssh",
            Self::DigitalOcean => "digitalocean",
        }
    }

    /// Whether it makes machines when they are needed.
    #[must_use]
    pub const fn is_elastic(self) -> bool {
        match self {
            Self::Local | Self::Ssh => false,
            Self::DigitalOcean => true,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| NameError::provider(text))
    }
}

/// A machine that exists or should. One document in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub name: MachineName,
    /// Who gives it.
    pub provider: Provider,
    /// The app it was made for; `None` where all apps share it.
    pub app: Option<AppName>,
    /// What is wished of it.
    pub goal: MachineGoal,
    /// How far it has come.
    pub phase: MachinePhase,
    /// Since when it is in this phase.
    pub since: Timestamp,
    /// Where the proxy reaches its instances, and where they listen.
    pub address: Option<IpAddr>,
    /// How it is reached by SSH.
    pub access: Option<Access>,
    /// What its provider calls it, once it was made.
    pub provider_id: Option<String>,
    /// Its size, as its provider calls that.
    pub size: Option<String>,
    /// The apps whose playbook has been run on it.
    #[serde(default)]
    pub configured: BTreeMap<AppName, Configured>,
    /// What does not work with it at the moment, where something was tried in vain.
    #[serde(default)]
    pub trouble: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// How a machine is reached by SSH.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Who logs in.
    pub user: String,
    /// Its name or address.
    pub host: String,
    /// The port of its SSH server.
    pub port: u16,
    /// The host key it must show: `ssh-ed25519 AAAA…`.
    pub host_key: String,
}

/// What is wished of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MachineGoal {
    /// It takes instances.
    Run,
    /// It keeps the instances it has and takes no more.
    Cordon,
    /// Its instances are replaced elsewhere.
    Drain,
    /// As with [`MachineGoal::Drain`]; then it is given back.
    Remove,
}

impl MachineGoal {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Cordon => "cordon",
            Self::Drain => "drain",
            Self::Remove => "remove",
        }
    }
}

/// How far a machine has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MachinePhase {
    /// Its provider is asked for it.
    Wanted,
    /// It is there; the agent is brought to it and has not called yet.
    Bringing,
    /// Its agent has called.
    Ready,
    /// It is not there any more, or nobody reaches it: what ran on it counts as gone.
    Lost {
        /// Why, in words.
        why: String,
    },
    /// It could not be had or not be made ready; nothing more is tried with it.
    Failed {
        /// Why, in words.
        why: String,
    },
    /// It is being given back.
    Leaving,
    /// It is given back. Its name is remembered for a while: what still shows up under it is ours
    /// and is given back too.
    Gone,
}

impl MachinePhase {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Bringing => "bringing",
            Self::Ready => "ready",
            Self::Lost { .. } => "lost",
            Self::Failed { .. } => "failed",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        }
    }
}

/// That an app's playbook was run on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// When it ended.
    pub at: Timestamp,
    /// `None` where all went well; else what did not.
    pub failed: Option<String>,
    /// How often it was tried.
    pub tries: u32,
    /// Under which name what the last run said is kept.
    #[serde(default)]
    pub log: Option<String>,
    /// The commit the playbook is of.
    #[serde(default)]
    pub commit: Option<CommitId>,
}

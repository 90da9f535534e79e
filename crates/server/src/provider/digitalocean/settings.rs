//! Where and how machines are made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[machines.digitalocean]` of server.toml.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file whose first line is the API token.
    pub token_file: PathBuf,
    /// Where machines are made: `fra1`.
    pub region: String,
    /// The size of a machine whose app names none.
    #[serde(default = "usual_size")]
    pub size: String,
    /// What is on its disk at first.
    #[serde(default = "usual_image")]
    pub image: String,
    /// The private network it is put into, by its id.
    pub vpc: Option<String>,
    /// Keys of the account whose owners may log in to machines as root, too: by id or fingerprint.
    #[serde(default)]
    pub ssh_keys: Vec<SshKey>,
    /// The addresses (CIDR) that may reach it: Toehold's own. Where any is named, a firewall keeps
    /// everybody else out.
    #[serde(default)]
    pub allow_from: Vec<String>,
    /// Where the API is.
    #[serde(default = "usual_url")]
    pub api_url: String,
}

/// A key of the account, as its API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SshKey {
    /// By its number.
    Id(u64),
    /// By its fingerprint: `3b:16:e4:…`.
    Fingerprint(String),
}

pub(super) fn usual_size() -> String {
    "s-1vcpu-1gb".to_owned()
}

pub(super) fn usual_image() -> String {
    "debian-12-x64".to_owned()
}

pub(super) fn usual_url() -> String {
    "https://api.digitalocean.com".to_owned()
}

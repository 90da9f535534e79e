//! `[proxy]`: what is set for the proxy.

use std::path::PathBuf;

use serde::Deserialize;

/// What is set for the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// The file that gets a line for each request; none where absent.
    pub access_log: Option<PathBuf>,
    /// What such a line looks like.
    pub access_log_format: LogFormat,
}

/// What a line of an access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// An object in JSON.
    #[default]
    Json,
    /// The combined format of other servers.
    Combined,
}

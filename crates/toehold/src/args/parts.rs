//! `toehold up`, `toehold serve` and `toehold proxy`: where they listen, and what with.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use super::Parent;

#[derive(Clone, Debug, ClapArgs)]
pub struct Up {
    /// Where visitors come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where visitors come in by TLS [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    pub listen_tls: Option<SocketAddr>,
    /// Where API and dashboard are [default: 127.0.0.1:7077]
    #[arg(long, value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// How many cores the proxy uses, with a thread each [default: all]
    #[arg(long, value_name = "N")]
    pub cpus: Option<usize>,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Serve {
    /// Where API and dashboard are [default: 127.0.0.1:7077]
    #[arg(long, value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Where visitors come in: only said, the proxy listens there
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where visitors come in by TLS: only said, too
    #[arg(long, value_name = "ADDR")]
    pub listen_tls: Option<SocketAddr>,
    #[command(flatten)]
    pub parent: Parent,
}

#[derive(Clone, Debug, ClapArgs)]
pub struct Proxy {
    /// Where visitors come in [default: 127.0.0.1:8080]; not needed where sockets are handed in by
    /// `LISTEN_FDS`
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where visitors come in by TLS [default: nowhere]; of the sockets that are handed in, those with
    /// this port
    #[arg(long, value_name = "ADDR", conflicts_with = "backends")]
    pub listen_tls: Option<SocketAddr>,
    /// Work without a control plane, for the backends of this file: a line for each, `HOST:PORT` or
    /// `HOST:PORT*WEIGHT`. Replace it by renaming another one, and it is followed
    #[arg(long, value_name = "FILE")]
    pub backends: Option<PathBuf>,
    /// Speak TLS, with the certificate and the key in this folder: `cert.pem`, with those above it
    /// behind it, and `key.pem`. Replace them, and they are followed
    #[arg(long, value_name = "DIR", requires = "backends")]
    pub tls: Option<PathBuf>,
    /// How many cores it uses, with a thread each [default: all]
    #[arg(long, value_name = "N")]
    pub cpus: Option<usize>,
    /// A line for each request: into this file, or to stdout for `-` [default: as server.toml says,
    /// else none]
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// What such a line looks like [default: as server.toml says, else json]
    #[arg(long, value_name = "FORMAT")]
    pub access_log_format: Option<AccessLogFormat>,
    #[command(flatten)]
    pub parent: Parent,
}

/// What a line of an access log looks like.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AccessLogFormat {
    /// An object in JSON
    Json,
    /// The combined format of other servers
    Combined,
}

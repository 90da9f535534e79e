//! `[redis]` of server.toml: which Redis, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError, TlsCertificates,
    TlsMode,
};
use serde::{Deserialize, Serialize};
use toehold_core::model::AppName;

use crate::secret::Secret;

/// The longest a single answer, and connecting, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The port of a sentinel where none is said.
const SENTINEL_PORT: u16 = 26379;

/// `[redis]`. One of `url`, `sentinels` with `master`, and `cluster` must be there.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// One server: `redis://127.0.0.1:6379/0`, `rediss://…` with TLS.
    pub url: Option<Secret>,
    /// Sentinels, each `host:port`; the port is 26379 where it is not said.
    #[serde(default)]
    pub sentinels: Vec<String>,
    /// What the sentinels call the server.
    pub master: Option<String>,
    /// Some nodes of a cluster, each `redis://host:port` or `host:port`.
    #[serde(default)]
    pub cluster: Vec<String>,
    /// Who logs in; `default` where absent.
    pub username: Option<String>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The file whose first line is the password of the sentinels.
    pub sentinel_password_file: Option<PathBuf>,
    /// Whether the server behind the sentinels, and the cluster, speak TLS.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file of the only authorities that may vouch for it.
    pub ca_file: Option<PathBuf>,
    /// What every key begins with; `{app}` stands for the app's name.
    #[serde(default)]
    pub prefix: String,
    /// The only app whose flags are mirrored; every app's where absent.
    pub app: Option<AppName>,
    /// Whether what others set a flag to is taken over; else it is set right.
    #[serde(default = "yes")]
    pub adopt: bool,
}

const fn yes() -> bool {
    true
}

/// How Redis is reached.
pub(super) enum Way {
    One(Box<Client>),
    Sentinel(Box<dyn Fn() -> Result<SentinelClientBuilder, RedisError> + Send + Sync>),
    Cluster(Box<ClusterClient>),
}

impl Settings {
    /// The files they name.
    pub fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let files = [&mut self.password_file, &mut self.sentinel_password_file, &mut self.ca_file];
        files.into_iter().flatten()
    }

    /// How it is reached. An error says what is wrong, and shows no address.
    pub(super) fn way(&self) -> Result<Way, String> {
        let prefix = self.prefix.replace("{app}", "");
        if prefix.contains(['{', '}']) || prefix.chars().any(|c| c.is_control() || c == ' ') {
            return Err("redis.prefix: no braces but those of {app}, and no spaces".to_owned());
        }
        let said = [self.url.is_some(), !self.sentinels.is_empty(), !self.cluster.is_empty()];
        if said.iter().filter(|said| **said).count() != 1 {
            return Err("redis: say one of url, sentinels (with master) and cluster".to_owned());
        }
        if let Some(url) = &self.url {
            return self.one(url.reveal());
        }
        if self.cluster.is_empty() { self.sentinel() } else { self.cluster() }
    }

    fn one(&self, url: &str) -> Result<Way, String> {
        let wrong = |error: RedisError| format!("redis.url: {}", in_words(&error));
        let info = self.logged_in(url.trim().into_connection_info().map_err(wrong)?)?;
        let client = match self.certificates()? {
            Some(certificates) if is_tls(&info) => Client::build_with_tls(info, certificates),
            _ => Client::open(info),
        };
        Ok(Way::One(Box::new(client.map_err(wrong)?)))
    }

    fn cluster(&self) -> Result<Way, String> {
        let wrong = |error: RedisError| format!("redis.cluster: {}", in_words(&error));
        let scheme = if self.tls { "rediss" } else { "redis" };
        let nodes = self.cluster.iter().map(|node| {
            let url =
                if node.contains("://") { node.clone() } else { format!("{scheme}://{node}") };
            self.logged_in(url.into_connection_info().map_err(wrong)?)
        });
        let nodes: Vec<ConnectionInfo> = nodes.collect::<Result<_, String>>()?;
        let mut builder = ClusterClientBuilder::new(nodes)
            .connection_timeout(PATIENCE)
            .response_timeout(PATIENCE)
            .retries(1);
        if let Some(certificates) = self.certificates()? {
            builder = builder.certs(certificates);
        }
        Ok(Way::Cluster(Box::new(builder.build().map_err(wrong)?)))
    }

    fn sentinel(&self) -> Result<Way, String> {
        let Some(master) = self.master.clone() else {
            return Err("redis.master: what the sentinels call the server".to_owned());
        };
        let addresses: Vec<ConnectionAddr> =
            self.sentinels.iter().map(|text| address(text)).collect::<Result<_, String>>()?;
        let (username, tls) = (self.username.clone(), self.tls);
        let password = read("password_file", self.password_file.as_ref())?;
        let of_sentinels = read("sentinel_password_file", self.sentinel_password_file.as_ref())?;
        let certificates = self.certificates()?;
        // A builder is used up by its client, and each connection asks the sentinels anew.
        let build = move || {
            let kind = SentinelServerType::Master;
            let mut builder = SentinelClientBuilder::new(addresses.clone(), &master, kind)?;
            if let Some(username) = &username {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = &password {
                builder = builder.set_client_to_redis_password(password.reveal());
            }
            if let Some(password) = &of_sentinels {
                builder = builder.set_client_to_sentinel_password(password.reveal());
            }
            if tls {
                builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            }
            if let Some(certificates) = &certificates {
                builder = builder.set_client_to_redis_certificates(certificates.clone());
            }
            Ok(builder)
        };
        build().map_err(|error: RedisError| format!("redis.sentinels: {}", in_words(&error)))?;
        Ok(Way::Sentinel(Box::new(build)))
    }

    fn logged_in(&self, info: ConnectionInfo) -> Result<ConnectionInfo, String> {
        let mut who = info.redis_settings().clone();
        if let Some(username) = &self.username {
            who = who.set_username(username);
        }
        if let Some(password) = read("password_file", self.password_file.as_ref())? {
            who = who.set_password(password.reveal());
        }
        Ok(info.set_redis_settings(who))
    }

    fn certificates(&self) -> Result<Option<TlsCertificates>, String> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let root_cert = std::fs::read(path)
            .map_err(|error| format!("redis.ca_file: {}: {error}", path.display()))?;
        Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) }))
    }
}

fn is_tls(info: &ConnectionInfo) -> bool {
    matches!(info.addr(), ConnectionAddr::TcpTls { .. })
}

fn address(text: &str) -> Result<ConnectionAddr, String> {
    let wrong = || format!("redis.sentinels: {text:?} is not host:port");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (text, SENTINEL_PORT),
    };
    if host.is_empty() || host.contains('/') {
        return Err(wrong());
    }
    Ok(ConnectionAddr::Tcp(host.to_owned(), port))
}

fn read(field: &str, path: Option<&PathBuf>) -> Result<Option<Secret>, String> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("redis.{field}: {}: {error}", path.display()))?;
    Ok(Some(Secret::new(text.lines().next().unwrap_or_default())))
}

/// What the client says, without the address it may repeat.
pub(super) fn in_words(error: &RedisError) -> String {
    let kind = format!("{:?}", error.kind());
    match error.detail() {
        Some(detail) if !detail.contains("://") => format!("{kind}: {detail}"),
        _ => error.to_string().split("://").next().unwrap_or(&kind).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(text: &str) -> Result<Way, String> {
        let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.way()
    }

    #[test]
    fn one_way_and_only_one_is_said() {
        for good in [
            "url = \"redis://127.0.0.1:6379/0\"",
            "url = \"rediss://redis.example.com\"\nprefix = \"{app}:\"",
            "sentinels = [\"127.0.0.1:26379\", \"sentinel.example.com\"]\nmaster = \"main\"",
            "cluster = [\"127.0.0.1:7000\", \"redis://127.0.0.1:7001\"]",
        ] {
            assert!(way(good).is_ok(), "{good}: {:?}", way(good).err());
        }
        for (bad, why) in [
            ("", "say one of"),
            ("url = \"redis://h\"\ncluster = [\"h:1\"]", "say one of"),
            ("url = \"http://sesame-open\"", "redis.url"),
            ("sentinels = [\"127.0.0.1:26379\"]", "redis.master"),
            ("sentinels = [\"h:x\"]\nmaster = \"m\"", "is not host:port"),
            ("url = \"redis://h\"\nprefix = \"{x}\"", "redis.prefix"),
            ("url = \"redis://h\"\npassword_file = \"/none\"", "redis.password_file"),
            ("url = \"redis://h\"\nca_file = \"/none\"", "redis.ca_file"),
            ("urls = \"redis://h\"", "unknown field"),
        ] {
            let error = way(bad).err().unwrap_or_else(|| panic!("{bad} was taken"));
            assert!(error.contains(why) && !error.contains("sesame"), "{bad}: {error}");
        }
    }
}

//! Posting to addresses that people wrote: bounded in time and size, and into no private network
//! unless that is allowed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Method, StatusCode};
use thiserror::Error;

use crate::address::{is_no_host, is_public};
use crate::site::Site;

/// The longest a call may take, resolving and connecting included.
const CALL: Duration = Duration::from_secs(10);

/// How much of an answer is looked at, in bytes: only for the message when it is a refusal.
const ANSWER_BYTES: usize = 4 * 1024;

/// The shortest part of a path that is taken for a secret.
const SECRET_PART: usize = 8;

/// An address that can be posted to. Its path may be what proves the right to post there, so it is
/// shown nowhere.
pub struct Target {
    site: Site,
    allow_private: bool,
    /// The operator wrote this very machine: that is no name which leads astray.
    is_here: bool,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, on one line, without what is secret of the address.
    pub text: String,
}

/// Why nothing was answered.
#[derive(Debug, Error)]
pub enum CallError {
    /// The name leads nowhere.
    #[error("cannot find {host}: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// The name leads into a private network.
    #[error("{host} leads to {addr}, in a private network: set `allow_private = true` to allow it")]
    Private {
        /// The name.
        host: String,
        /// Where it leads.
        addr: SocketAddr,
    },
    /// The name leads to the local link or to no host at all, which is allowed to nobody.
    #[error(
        "{host} leads to {addr}, which is nobody's, or where clouds keep a machine's own secrets: it \
         is never called"
    )]
    NoHost {
        /// The name.
        host: String,
        /// Where it leads.
        addr: SocketAddr,
    },
    /// It did not go through.
    #[error("cannot reach {host}: {why}")]
    Unreachable {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// Nothing came in time.
    #[error("{host} took too long")]
    Late {
        /// The name.
        host: String,
    },
}

impl Target {
    /// The target of `url`, vouched for by the authorities of `pem` alone where that is given. An
    /// error says what is wrong and never shows the URL.
    pub fn new(url: &str, pem: Option<&[u8]>, allow_private: bool) -> Result<Self, String> {
        let site = Site::new(url, pem)?;
        let is_here = site.host() == "localhost"
            || site.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Self { site, allow_private, is_here })
    }

    /// Where it is, without the path.
    #[must_use]
    pub fn host(&self) -> &str {
        self.site.host()
    }

    /// Posts `body` to the address itself, or to `path` below it.
    pub async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Answer, CallError> {
        match tokio::time::timeout(CALL, self.send(path, headers, body.into())).await {
            Ok(answered) => answered,
            Err(_) => Err(CallError::Late { host: self.host().to_owned() }),
        }
    }

    /// Where it may be called.
    async fn resolve(&self) -> Result<Vec<SocketAddr>, CallError> {
        let host = self.host().to_owned();
        let found = match self.site.resolve().await {
            Ok(found) => found,
            Err(error) => return Err(CallError::Unresolved { host, why: error.to_string() }),
        };
        if let Some(addr) = found.iter().find(|addr| is_no_host(addr.ip())) {
            return Err(CallError::NoHost { host, addr: *addr });
        }
        let allowed = |addr: &SocketAddr| {
            let near = self.is_here && addr.ip().is_loopback();
            self.allow_private || near || is_public(addr.ip())
        };
        if let Some(addr) = found.iter().find(|addr| !allowed(addr)) {
            return Err(CallError::Private { host, addr: *addr });
        }
        Ok(found)
    }

    async fn send(&self, path: &str, headers: HeaderMap, body: Bytes) -> Result<Answer, CallError> {
        let unreachable =
            |why: String| CallError::Unreachable { host: self.host().to_owned(), why };
        let url = self.site.url();
        let target = match path {
            "" => url.path_and_query().map_or("/", |it| it.as_str()).to_owned(),
            path => format!("{}{path}", url.path().trim_end_matches('/')),
        };
        let request = self.site.request(Method::POST, target, headers, Some(body));
        let request = request.map_err(unreachable)?;
        let addresses = self.resolve().await?;
        let said = self.site.send(&addresses, request, ANSWER_BYTES).await.map_err(unreachable)?;
        let text = self.without_secrets(&String::from_utf8_lossy(&said.body.unwrap_or_default()));
        Ok(Answer { status: said.status, retry_after: retry_after(&said.headers), text })
    }

    /// A server that repeats what it was asked must not bring the secret of the path into a log.
    fn without_secrets(&self, text: &str) -> String {
        let mut shown: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
        let path = self.site.url().path_and_query().map_or("/", |path| path.as_str());
        let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= SECRET_PART);
        for part in std::iter::once(path).filter(|path| path.len() > 1).chain(parts) {
            shown = shown.replace(part, "***");
        }
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.host())
    }
}

/// Seconds, whole or not; a date is as good as a minute.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0);
    Some(seconds.map_or(Duration::from_mins(1), |it| Duration::from_secs_f64(it.min(86_400.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_of_an_address_is_shown_nowhere() {
        let target =
            Target::new("https://hooks.example.com/services/T0000/B000/XXXXXXXXX", None, false);
        let target = target.expect("a URL");
        let echoed = "Cannot POST /services/T0000/B000/XXXXXXXXX\r\nno such XXXXXXXXX";
        assert_eq!(target.without_secrets(echoed), "Cannot POST *** no such ***");
        assert_eq!(format!("{target:?}"), "Target(hooks.example.com)");
    }

    #[tokio::test]
    async fn a_private_network_is_not_called_unless_it_is_allowed() {
        let mut targets: Vec<Target> =
            ["10.0.0.1", "192.168.0.1", "[fd00::1]", "[::ffff:10.0.0.1]"]
                .map(|host| Target::new(&format!("http://{host}:9/x"), None, false).expect("a URL"))
                .into();
        // A name that leads to this machine, unlike one that says so.
        let mut astray = Target::new("http://localhost:9/x", None, false).expect("a URL");
        astray.is_here = false;
        targets.push(astray);
        for target in targets {
            let host = target.host();
            let error = target.post("", HeaderMap::new(), "").await.expect_err(host);
            assert!(matches!(error, CallError::Private { .. }), "{host}: {error}");
        }
        let target = Target::new("http://127.0.0.1:9/x", None, false).expect("a URL");
        let error = target.post("", HeaderMap::new(), "").await.expect_err("nobody listens");
        assert!(matches!(error, CallError::Unreachable { .. }), "{error}");
    }

    #[tokio::test]
    async fn the_local_link_is_never_called_whatever_is_allowed() {
        // The last one is a name to us, and leads there.
        for host in [
            "169.254.169.254",
            "[fe80::1]",
            "[::ffff:169.254.169.254]",
            "2852039166",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            let target = Target::new(&format!("http://{host}:9/x"), None, true).expect("a URL");
            let error = target.post("", HeaderMap::new(), "").await.expect_err(host);
            assert!(matches!(error, CallError::NoHost { .. }), "{host}: {error}");
        }
    }
}

//! The address of a repository on another machine, as an operator configured it.

mod find;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::address::is_no_host;

pub(crate) use find::find;

/// An address that git may be given: `https`, `http`, `ssh` or `file`, an absolute path, or
/// `user@host:path`. Never a transport helper (`ext::…` runs commands), an option, or an address
/// with a password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Ssh,
    File,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{given:?} cannot be the address of a repository: {why}")]
pub struct RemoteError {
    given: String,
    why: &'static str,
}

/// The port of SSH.
const SSH: u16 = 22;

const FORMS: &str = "use https://…, ssh://…, user@host:path, file:///… or an absolute path";

impl Remote {
    /// The address itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https://host/`: what a token is sent to, and nothing else; `None` where no HTTP is spoken.
    pub(crate) fn http_origin(&self) -> Option<String> {
        if self.kind != Kind::Http {
            return None;
        }
        let (scheme, rest) = self.text.split_once("://")?;
        Some(format!("{scheme}://{}/", rest.split('/').next().unwrap_or(rest)))
    }

    /// The name of the machine it is on, and the port; `None` of this machine's own files.
    pub(crate) fn host(&self) -> Option<(&str, u16)> {
        let (authority, usual) = match (self.kind, self.text.split_once("://")) {
            (Kind::File, _) => return None,
            (_, Some((scheme, rest))) => {
                let usual = match scheme {
                    "https" => 443,
                    "http" => 80,
                    _ => SSH,
                };
                (rest.split('/').next()?, usual)
            }
            // `user@host:path`: what stands behind the colon is no port.
            (_, None) => {
                let host = self.text.split_once(':')?.0;
                return Some((host.rsplit_once('@').map_or(host, |(_, host)| host), SSH));
            }
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let bare = |host| str::trim_end_matches(str::trim_start_matches(host, '['), ']');
        match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                Some((bare(name), port.parse().unwrap_or(usual)))
            }
            Some(_) | None => Some((bare(host), usual)),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Remote {
    type Err = RemoteError;

    fn from_str(text: &str) -> Result<Self, RemoteError> {
        match look_at(text) {
            Ok(kind) => Ok(Self { text: text.to_owned(), kind }),
            Err(why) => {
                // What stands before an @ may be a password.
                let given = text.rsplit('@').next().unwrap_or(text).chars().take(120).collect();
                Err(RemoteError { given, why })
            }
        }
    }
}

fn look_at(text: &str) -> Result<Kind, &'static str> {
    if text.is_empty() || text.len() > 2000 {
        return Err("it has 1 to 2000 characters");
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("no spaces and no control characters");
    }
    if text.starts_with('-') {
        return Err("it would be read as an option");
    }
    if text.starts_with('/') {
        return Ok(Kind::File);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return look_at_url(scheme, rest);
    }
    if text.contains("::") {
        return Err("transport helpers such as ext:: run commands and are refused");
    }
    match text.split_once(':') {
        Some((host, path)) if !path.is_empty() && !host.contains('/') => {
            look_at_host(host).map(|()| Kind::Ssh)
        }
        Some(_) | None => Err(FORMS),
    }
}

fn look_at_url(scheme: &str, rest: &str) -> Result<Kind, &'static str> {
    let authority = rest.split('/').next().unwrap_or(rest);
    match scheme {
        "file" if authority.is_empty() && rest.len() > 1 => Ok(Kind::File),
        "file" => Err("write file:///absolute/path"),
        "https" | "http" if authority.contains('@') => {
            Err("a password or token does not belong in it: give the token as a secret")
        }
        "https" | "http" => look_at_host(authority).map(|()| Kind::Http),
        "ssh"
            if authority
                .split('@')
                .next()
                .is_some_and(|user| authority.contains('@') && user.contains(':')) =>
        {
            Err("a password does not belong in it: use a key")
        }
        "ssh" => look_at_host(authority).map(|()| Kind::Ssh),
        _ => Err(FORMS),
    }
}

fn look_at_host(authority: &str) -> Result<(), &'static str> {
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() {
        return Err("it names no host");
    }
    if host.starts_with('-') || user.starts_with('-') {
        return Err("a host or user that begins with - would be read as an option");
    }
    if is_of_the_link(host) {
        return Err("an address of the local link is where clouds keep a machine's own secrets");
    }
    Ok(())
}

/// Whether a host, with or without a port, is a link-local address, or no single host's.
pub(crate) fn is_of_the_link(host: &str) -> bool {
    let without_port = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    bare(host).or_else(|| bare(without_port)).is_some_and(is_no_host)
}

#[cfg(test)]
mod tests;

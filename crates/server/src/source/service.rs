//! Git's own programs that take a push, and give what was pushed, to whoever comes over the
//! network: over HTTP by `git http-backend`, over SSH by a forced command. The same hooks run as on
//! a push to the folder.

mod cgi;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use thiserror::Error;
use toehold_core::model::AppName;

use crate::source::git::environment;

pub use cgi::{Limits, Output, Reply, ServiceError, serve};

/// The variable by which a hook is told who pushes.
pub const PUSHER: &str = "TOEHOLD_PUSHER";

/// What git is told when it serves somebody: no transport that runs commands, no helper.
const HARDENING: [&str; 4] = [
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "http.receivepack=true",
    "http.getanyfile=false",
];

/// What somebody wants of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// To push.
    Push,
    /// To fetch.
    Fetch,
}

/// Why a command that came over SSH is not run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{given:?} is not allowed: this key is for `git push ssh://…/APP.git` and `git fetch` alone"
)]
pub struct NotAllowed {
    given: String,
}

impl Service {
    /// Git's name for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "git-receive-pack",
            Self::Fetch => "git-upload-pack",
        }
    }

    /// What git's name stands for.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Push, Self::Fetch].into_iter().find(|service| service.as_str() == name)
    }
}

/// Reads what a client asks for over SSH: `git-receive-pack 'shop.git'`, also `'/shop.git'`, as it
/// comes where the address is written `ssh://…/shop.git`.
///
/// # Errors
/// Where it is anything else.
pub fn asked_over_ssh(command: &str) -> Result<(Service, AppName), NotAllowed> {
    let refused = || NotAllowed { given: command.chars().take(200).collect() };
    let text = command.strip_prefix("git ").map(|rest| format!("git-{rest}"));
    let text = text.as_deref().unwrap_or(command);
    let (name, path) = text.split_once(' ').ok_or_else(refused)?;
    let service = Service::named(name).ok_or_else(refused)?;
    let path = path.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(path);
    let name = path.strip_prefix('/').unwrap_or(path);
    let app = name.strip_suffix(".git").unwrap_or(name).parse().map_err(|_| refused())?;
    Ok((service, app))
}

/// The command that serves somebody over the stdin and stdout it is given. `protocol` is what the
/// client said in `GIT_PROTOCOL`.
#[must_use]
pub fn over_ssh(service: Service, repository: &Path, who: &str, protocol: Option<&str>) -> Command {
    let mut command = sealed(who, protocol);
    command.arg(match service {
        Service::Push => "receive-pack",
        Service::Fetch => "upload-pack",
    });
    command.arg("--").arg(repository);
    command
}

/// A request over HTTP that git is to answer.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// The folder of the repositories.
    pub repositories: &'a Path,
    /// `/shop.git/info/refs`.
    pub path: &'a str,
    /// `GET` or `POST`.
    pub method: &'a str,
    /// `service=git-receive-pack`.
    pub query: &'a str,
    /// The type of the body; empty where there is none.
    pub content_type: &'a str,
    /// How the body is packed; empty where it is not.
    pub content_encoding: &'a str,
    /// `Git-Protocol`, where it is sent.
    pub protocol: Option<&'a str>,
    /// Who asks.
    pub who: &'a str,
}

/// The command that answers it, as CGI has it.
#[must_use]
pub fn over_http(request: &HttpRequest<'_>) -> Command {
    let mut command = sealed(request.who, request.protocol);
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", request.repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", request.path)
        .env("REQUEST_METHOD", request.method)
        .env("QUERY_STRING", request.query)
        .env("CONTENT_TYPE", request.content_type)
        .env("HTTP_CONTENT_ENCODING", request.content_encoding)
        .env("REMOTE_USER", shown(request.who));
    command
}

fn sealed(who: &str, protocol: Option<&str>) -> Command {
    let mut command = Command::new("git");
    environment::seal_variables(&mut command);
    for setting in HARDENING {
        command.args(["-c", setting]);
    }
    command.env(PUSHER, shown(who));
    // `version=2`, and whatever git adds in the same form.
    let plain = |text: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "=.:-_".contains(c);
        text.len() <= 200 && text.chars().all(fits)
    };
    if let Some(protocol) = protocol.filter(plain) {
        command.env("GIT_PROTOCOL", OsStr::new(protocol));
    }
    command
}

/// A name that can stand in an environment and in a line.
fn shown(who: &str) -> String {
    who.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_an_address_are_understood() {
        let shop: AppName = "shop".parse().expect("a name");
        for (text, service) in [
            ("git-receive-pack 'shop.git'", Service::Push),
            ("git-receive-pack '/shop.git'", Service::Push),
            ("git receive-pack 'shop.git'", Service::Push),
            ("git-upload-pack '/shop.git'", Service::Fetch),
            ("git-upload-pack shop", Service::Fetch),
        ] {
            assert_eq!(asked_over_ssh(text), Ok((service, shop.clone())), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_run() {
        for text in [
            "",
            "sh",
            "git-receive-pack",
            "git-receive-pack ''",
            "git-receive-pack '../shop.git'",
            "git-receive-pack '/srv/git/shop.git'",
            "git-receive-pack 'shop.git'; reboot",
            "git-receive-pack 'shop.git' --upload-pack=x",
            "git-receive-pack '--help'",
            "git-receive-pack $(reboot)",
            "git-upload-archive 'shop.git'",
            "git-receive-pack \"shop.git\"",
            "git-receive-pack 'shop.git\n'",
            "scp -t /tmp",
        ] {
            assert!(asked_over_ssh(text).is_err(), "{text:?} was taken");
        }
    }
}

//! A forge, as far as Toehold meets it: a bare repository that is pushed to, and signed deliveries
//! as GitHub makes them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::command::run;
use crate::error::SceneryError;

/// How long an answer to a delivery may take; GitHub's own patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// A forge with one repository.
#[derive(Debug)]
pub struct Forge {
    repository: PathBuf,
    full_name: String,
    secret: String,
    delivered: u64,
}

impl Forge {
    /// A forge whose repository is a bare one at `repository`, called `full_name` (`acme/shop`),
    /// and whose deliveries are signed with `secret`.
    ///
    /// # Errors
    /// Where git makes no repository.
    pub fn new(repository: &Path, full_name: &str, secret: &str) -> Result<Self, SceneryError> {
        run("git", &[Path::new("init"), Path::new("--quiet"), Path::new("--bare"), repository])?;
        Ok(Self {
            repository: repository.to_owned(),
            full_name: full_name.to_owned(),
            secret: secret.to_owned(),
            delivered: 0,
        })
    }

    /// Where it is pushed to and cloned from.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// Tells of a push of its newest commit to a branch; gives the status of the answer. `to` is
    /// where deliveries are taken, `path` what of it: `/webhooks/github/shop`.
    ///
    /// # Errors
    /// Where there is no such branch, or no answer in ten seconds.
    pub fn tell(&mut self, to: SocketAddr, path: &str, branch: &str) -> Result<u16, SceneryError> {
        self.delivered += 1;
        let body = self.pushed(branch)?.to_string();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nX-GitHub-Event: push\r\n\
             X-GitHub-Delivery: {}\r\nX-Hub-Signature-256: sha256={}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.delivered,
            self.signature(body.as_bytes())?,
            body.len()
        );
        let answer = ask(to, &text).map_err(SceneryError::system("deliver a webhook"))?;
        Ok(answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0))
    }

    fn pushed(&self, branch: &str) -> Result<Value, SceneryError> {
        let dir = format!("--git-dir={}", self.repository.display());
        let newest = run("git", &[&dir, "log", "-1", "--format=%H %s", branch, "--"])?;
        let (commit, message) = newest.trim_end().split_once(' ').unwrap_or((newest.trim(), ""));
        Ok(json!({
            "ref": format!("refs/heads/{branch}"),
            "before": "0".repeat(40),
            "after": commit,
            "deleted": false,
            "repository": { "full_name": self.full_name },
            "head_commit": { "id": commit, "message": message },
        }))
    }

    fn signature(&self, body: &[u8]) -> Result<String, SceneryError> {
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes());
        let mut mac = mac.map_err(|error| {
            SceneryError::system("sign a delivery")(std::io::Error::other(error))
        })?;
        mac.update(body);
        Ok(hex::encode(mac.finalize().into_bytes()))
    }
}

fn ask(to: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

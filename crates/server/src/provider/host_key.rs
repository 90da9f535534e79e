//! Toehold's own SSH key, and the host keys machines show.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use toehold_host::durable::{self, DurableError};
use tokio::process::Command;

/// The longest one of these programs may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Kinds of host keys, the best first.
const KINDS: [&str; 3] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"];

/// Why a key could not be had.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The program cannot be run.
    #[error("cannot run {program} ({source}): install openssh-client")]
    Program {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A file of a key.
    #[error("cannot write {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The public half.
    #[error("the public half of our key cannot be written")]
    Public(#[from] DurableError),
    /// Nobody answers there.
    #[error("no SSH server answers at {host} port {port}")]
    NoServer {
        /// Where.
        host: String,
        /// At which port.
        port: u16,
    },
    /// That is no host key.
    #[error(
        "{0:?} is not a host key: give it as `ssh-ed25519 AAAA…`, a line of /etc/ssh/ssh_host_ed25519_key.pub"
    )]
    NoKey(String),
}

/// The private key Toehold logs in with, made where there is none yet; its public half lies beside
/// it with `.pub` behind its name.
pub async fn own(path: &Path) -> Result<PathBuf, KeyError> {
    // Of two who need it at once, the second finds what the first has made.
    static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _making = MAKING.lock().await;
    match (path.exists(), public(path).exists()) {
        (true, true) => {}
        (true, false) => show_public(path).await?,
        (false, _) => make(path).await?,
    }
    Ok(path.to_owned())
}

/// Where the public half of a key lies.
fn public(path: &Path) -> PathBuf {
    path.with_added_extension("pub")
}

/// Makes a pair. The private half comes into its place last: where it lies, the pair is whole, and
/// what was cut off before that is made anew and never asked about.
async fn make(path: &Path) -> Result<(), KeyError> {
    let fresh = path.with_added_extension("new");
    for left in [fresh.clone(), public(&fresh)] {
        match tokio::fs::remove_file(&left).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file(&left)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "toehold", "-f"]).arg(&fresh);
    output("ssh-keygen", &mut command).await?;
    let public = public(path);
    rename(&self::public(&fresh), &public).await?;
    rename(&fresh, path).await
}

/// Writes the public half anew from the private one, which machines know already.
async fn show_public(path: &Path) -> Result<(), KeyError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-y", "-P", "", "-f"]).arg(path);
    let text = output("ssh-keygen", &mut command).await?;
    Ok(durable::write(&public(path), text.as_bytes())?)
}

async fn rename(from: &Path, to: &Path) -> Result<(), KeyError> {
    tokio::fs::rename(from, to).await.map_err(file(to))
}

fn file(path: &Path) -> impl Fn(io::Error) -> KeyError {
    move |source| KeyError::File { path: path.to_owned(), source }
}

/// The host key a server shows, of the best kind it has: to be looked at by a person before it is
/// believed.
pub async fn shown(host: &str, port: u16) -> Result<String, KeyError> {
    shown_rather(KINDS[0], host, port).await
}

/// The same, one of this kind rather than the best.
pub(super) async fn shown_rather(kind: &str, host: &str, port: u16) -> Result<String, KeyError> {
    let mut command = Command::new("ssh-keyscan");
    command.args(["-T", "5", "-p"]).arg(port.to_string());
    command.args(["-t", "ed25519,ecdsa,rsa", "--"]).arg(host);
    let text = output("ssh-keyscan", &mut command).await?;
    let keys: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| parse(line.split_once(' ')?.1).ok())
        .collect();
    let mut kinds = std::iter::once(kind).chain(KINDS);
    let best = kinds.find_map(|kind| keys.iter().find(|key| key.starts_with(kind)));
    best.cloned().ok_or_else(|| KeyError::NoServer { host: host.to_owned(), port })
}

/// A host key as people give it, without its comment.
pub fn parse(text: &str) -> Result<String, KeyError> {
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let bytes = STANDARD.decode(key).unwrap_or_default();
    // The blob names its own kind first, with its length before.
    let is_whole = bytes.len() > 32 && bytes.get(4..4 + kind.len()) == Some(kind.as_bytes());
    if KINDS.contains(&kind) && is_whole {
        return Ok(format!("{kind} {key}"));
    }
    Err(KeyError::NoKey(text.chars().take(80).collect()))
}

/// The fingerprint of a host key, as `ssh` shows it: `SHA256:…`.
#[must_use]
pub fn fingerprint(key: &str) -> String {
    let blob = key.split_whitespace().nth(1).and_then(|key| STANDARD.decode(key).ok());
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob.unwrap_or_default())))
}

async fn output(program: &'static str, command: &mut Command) -> Result<String, KeyError> {
    let failed = |source| KeyError::Program { program, source };
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(TIMEOUT, command.output()).await;
    let output = done.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
    if output.status.success() || program == "ssh-keyscan" {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stderr, output.stdout].map(|it| String::from_utf8_lossy(&it).into_owned());
    // Some of what ssh-keygen has to say it says where its answers go.
    let said = said.iter().map(|it| it.trim()).find(|it| !it.is_empty()).unwrap_or_default();
    Err(KeyError::Failed { program, said: said.chars().take(400).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_host_key_is_read_without_its_comment_and_nothing_else_is() {
        assert_eq!(parse(&format!("{KEY} root@web1")).expect("it is one"), KEY);
        assert_eq!(fingerprint(KEY), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        for wrong in
            ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3MAAA", "-o Proxy"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).expect("it is there")
    }

    /// Kind and key, without the comment.
    fn key(text: &str) -> Vec<&str> {
        text.split_whitespace().take(2).collect()
    }

    #[tokio::test]
    async fn a_pair_that_lost_its_public_half_is_whole_again_and_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ssh_key");
        own(&path).await.expect("it is made");
        let (private, shown) = (read(&path), read(&public(&path)));
        std::fs::remove_file(public(&path)).expect("it was there");
        own(&path).await.expect("it is made whole");
        assert_eq!(read(&path), private);
        assert_eq!(key(&read(&public(&path))), key(&shown));
    }

    #[tokio::test]
    async fn what_was_cut_off_while_a_pair_was_made_is_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ssh_key");
        for left in ["ssh_key.new", "ssh_key.new.pub", "ssh_key.pub"] {
            std::fs::write(folder.path().join(left), "half of a").expect("it can be written");
        }
        own(&path).await.expect("it is made");
        let mut command = Command::new("ssh-keygen");
        let shown = output("ssh-keygen", command.arg("-y").arg("-f").arg(&path)).await;
        assert_eq!(key(&shown.expect("it is a key")), key(&read(&public(&path))));
        let names = std::fs::read_dir(folder.path()).expect("it is there").count();
        assert_eq!(names, 2, "nothing else is left");
    }

    #[tokio::test]
    async fn what_a_program_says_in_either_place_is_said_of_its_failure() {
        for (where_to, words) in [("1", "overwrite?"), ("2", "no entry")] {
            let mut command = Command::new("sh");
            command.args(["-c", "echo \"$1\" >&\"$2\"; exit 1", "sh", words, where_to]);
            let error = output("sh", &mut command).await.expect_err("it fails");
            assert_eq!(error.to_string(), format!("sh failed: {words}"));
        }
    }
}

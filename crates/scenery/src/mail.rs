//! A real mail server, aiosmtpd in a process of its own: STARTTLS with a certificate of its own,
//! and a user who must log in.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use crate::error::SceneryError;

/// What it runs; says its port, then every mail it took, as a line of JSON each.
const PROGRAM: &str = include_str!("mail_server.py");

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail server on a loopback port; it ends with this.
#[derive(Debug)]
pub struct MailServer {
    process: Child,
    port: u16,
    certificate: PathBuf,
}

impl MailServer {
    /// The only user it lets in.
    pub const USER: &str = "toehold";

    /// Whether `python` has what it takes.
    #[must_use]
    pub fn is_had(python: &str) -> bool {
        let asked = Command::new(python)
            .args(["-c", "import aiosmtpd"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Starts one that lets in [`Self::USER`] by `password` and hands on each letter it took. Its
    /// certificate lies in `folder`.
    ///
    /// # Errors
    /// Where it does not start, or does not listen in half a minute.
    pub fn start(
        python: &str,
        folder: &Path,
        password: &str,
        taken: impl Fn(String) + Send + 'static,
    ) -> Result<Self, SceneryError> {
        let (certificate, key) = certificate(folder)?;
        let mut process = Command::new(python)
            .args(["-c", PROGRAM, "--security", "starttls", "--password", password])
            .args([Path::new("--certificate"), &certificate, Path::new("--key"), &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // ^C is not for it.
            .process_group(0)
            .spawn()
            .map_err(SceneryError::system("start the mail server"))?;
        let said = process.stdout.take();
        let (says, port) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in
                said.into_iter().flat_map(|it| BufReader::new(it).lines().map_while(Result::ok))
            {
                let Ok(said) = serde_json::from_str::<Value>(&line) else { return };
                if let Some(letter) = said["mail"].as_str() {
                    taken(letter.to_owned());
                } else {
                    // Whoever started it has gone.
                    let _ = says.send(said["port"].as_u64());
                }
            }
        });
        // It ends with this from here on, whatever it says.
        let mut server = Self { process, port: 0, certificate };
        let silent = || SceneryError::Silent {
            what: "the mail server".to_owned(),
            seconds: PATIENCE.as_secs(),
        };
        let port = port.recv_timeout(PATIENCE).ok().flatten();
        server.port = port.and_then(|it| u16::try_from(it).ok()).ok_or_else(silent)?;
        Ok(server)
    }

    /// Where it listens, on `localhost`.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The certificate it shows, as a file.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // Where it has ended already there is nobody left to be told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate for `localhost` that vouches for itself, and its key.
fn certificate(folder: &Path) -> Result<(PathBuf, PathBuf), SceneryError> {
    let cannot = SceneryError::system("make the mail server's certificate");
    let made = generate_simple_self_signed(["localhost".to_owned()]);
    let CertifiedKey { cert, signing_key } =
        made.map_err(|error| cannot(std::io::Error::other(error)))?;
    let (certificate, key) = (folder.join("mail.pem"), folder.join("mail.key"));
    for (path, text) in [(&certificate, cert.pem()), (&key, signing_key.serialize_pem())] {
        fs::write(path, text)
            .map_err(SceneryError::system("write the mail server's certificate"))?;
    }
    Ok((certificate, key))
}

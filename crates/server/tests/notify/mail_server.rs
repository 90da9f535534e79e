//! A real mail server in a process of its own.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use toehold_server::notify::{MailSettings, Security};
use toehold_server::secret::Secret;
use tokio::sync::mpsc;

use crate::parts::soon;

/// A mail server; it ends with this.
pub(crate) struct MailServer {
    process: Child,
    pub(crate) port: u16,
    mails: mpsc::UnboundedReceiver<Value>,
}

/// How the server is run.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) password: Option<String>,
}

/// A certificate for `localhost`, signed by itself.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = dir.join(format!("{name}.pem"));
        let key = dir.join(format!("{name}.key"));
        fs::write(&certificate, cert.pem()).expect("write");
        fs::write(&key, signing_key.serialize_pem()).expect("write");
        Self { certificate, key }
    }
}

impl Setup {
    /// The settings with which this server is reached.
    pub(crate) fn settings(&self, port: u16, to: &[&str]) -> MailSettings {
        MailSettings {
            host: "localhost".into(),
            port: Some(port),
            security: self.security,
            username: self.password.as_ref().map(|_| "toehold".into()),
            password: self.password.as_ref().map(|password| Secret::new(password.as_str())),
            password_file: None,
            from: "Toehold <toehold@example.com>".into(),
            to: to.iter().map(ToString::to_string).collect(),
            ca_file: self.certificate.as_ref().map(|pair| pair.certificate.clone()),
        }
    }
}

impl MailServer {
    pub(crate) async fn start(setup: &Setup) -> Self {
        let security = match setup.security {
            Security::Plain => "plain",
            Security::Starttls => "starttls",
            Security::Tls => "tls",
        };
        let mut command = Command::new(python());
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenery/src/mail_server.py"));
        command.args(["--port", &setup.port.to_string(), "--security", security]);
        if let Some(pair) = &setup.certificate {
            command.arg("--certificate").arg(&pair.certificate).arg("--key").arg(&pair.key);
        }
        if let Some(password) = &setup.password {
            command.args(["--password", password]);
        }
        // What it says of a client that hangs up on it is wanted here.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("python starts");
        let out = BufReader::new(process.stdout.take().expect("it is piped"));
        let (says, mut mails) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).expect("the server says JSON");
                if says.send(said).is_err() {
                    return;
                }
            }
        });
        let first = soon("the mail server listens", mails.recv()).await.expect("it says its port");
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { process, port: port.expect("a port"), mails }
    }

    /// The next mail it takes, whenever that is.
    pub(crate) async fn mail(&mut self) -> Mail {
        let said = soon("a mail arrives", self.mails.recv()).await.expect("the server runs");
        Mail { text: said["mail"].as_str().expect("a text").replace("\r\n", "\n"), said }
    }

    /// Waits until it keeps somebody waiting over `hang@`.
    pub(crate) async fn hangs(&mut self) {
        let said = soon("it hangs", self.mails.recv()).await.expect("the server runs");
        assert!(said["hangs"].is_string(), "{said}");
    }

    /// A mail that was taken already.
    pub(crate) fn mail_so_far(&mut self) -> Option<Value> {
        self.mails.try_recv().ok()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A mail that was taken.
pub(crate) struct Mail {
    pub(crate) text: String,
    pub(crate) said: Value,
}

impl Mail {
    /// A header's value, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        let head = self.text.split("\n\n").next().expect("a head").replace("\n ", " ");
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    }
}

/// A port where nobody listens.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// A Python that has aiosmtpd.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let python = env::var("TOEHOLD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let there = Command::new(&python).args(["-c", "import aiosmtpd"]).output();
        assert!(
            there.is_ok_and(|output| output.status.success()),
            "these tests need a mail server: install aiosmtpd (`pip install aiosmtpd`, or \
             Debian's python3-aiosmtpd) for {python}, or name another Python in \
             TOEHOLD_TEST_PYTHON"
        );
        python
    })
}

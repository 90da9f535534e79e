//! Pebble, a real CA that speaks ACME, with a DNS of its own in which every name leads here.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::ask::Ask;
use crate::redis_server::{free_port, until};

/// The ports it finds a host at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) tls: u16,
}

/// The CA; it ends with this, as by `kill -9`, and forgets everything.
pub(crate) struct Pebble {
    processes: Vec<Child>,
    port: u16,
    management: u16,
    ports: Ports,
    is_for_members: bool,
    /// For how many days its certificates are good.
    pub(crate) days: u64,
    folder: TempDir,
}

/// An account that was made before with one that is for members: its id, and its key.
pub(crate) const MEMBER: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

impl Pebble {
    /// One that refuses some good nonces, as a CA may.
    pub(crate) async fn start(ports: Ports) -> Self {
        Self::start_as(ports, false).await
    }

    /// One that wants an account that was made with it before.
    pub(crate) async fn start_for_members(ports: Ports) -> Self {
        Self::start_as(ports, true).await
    }

    async fn start_as(ports: Ports, is_for_members: bool) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]);
        let own = params.expect("these are names").self_signed(&key).expect("it is signed");
        fs::write(folder.path().join("own.pem"), own.pem()).expect("it is written");
        fs::write(folder.path().join("own.key"), key.serialize_pem()).expect("it is written");
        let (port, management) = (free_port(), free_port());
        let mut pebble = Self {
            processes: Vec::new(),
            port,
            management,
            ports,
            is_for_members,
            days: 90,
            folder,
        };
        pebble.run().await;
        pebble
    }

    /// Ends it, and starts another at the same place, which knows nothing of what was.
    pub(crate) async fn start_anew(&mut self) {
        self.end();
        self.run().await;
    }

    async fn run(&mut self) {
        let (dns, control) = (free_port(), free_port());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let file = |name: &str| self.folder.path().join(name);
        let config = json!({ "pebble": {
            "listenAddress": at(self.port), "managementListenAddress": at(self.management),
            "certificate": file("own.pem"), "privateKey": file("own.key"),
            "httpPort": self.ports.http, "tlsPort": self.ports.tls,
            "ocspResponderURL": "", "externalAccountBindingRequired": self.is_for_members,
            "certificateValidityPeriod": self.days * 24 * 3_600,
            "externalAccountMACKeys": { (MEMBER.0): MEMBER.1 },
        }});
        fs::write(file("config.json"), config.to_string()).expect("it is written");
        let names = spawn(
            Command::new("pebble-challtestsrv")
                .args(["-dns01", &at(dns), "-management", &at(control)])
                .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]),
        );
        let ca = spawn(
            Command::new("pebble")
                .arg("-config")
                .arg(file("config.json"))
                .args(["-dnsserver", &at(dns)])
                .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "25")]),
        );
        self.processes = vec![names, ca];
        for port in [self.port, self.management, control] {
            let connect = async || TcpStream::connect(("127.0.0.1", port)).await.ok();
            until("the CA listens", connect).await;
        }
    }

    /// The URL of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// What vouches for that URL.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("own.pem")
    }

    /// Its own certificate and key, PEM.
    pub(crate) fn own(&self) -> (String, String) {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name));
        (read("own.pem").expect("it is there"), read("own.key").expect("it is there"))
    }

    /// How it is dialled.
    pub(crate) fn dialled(&self) -> Dialled {
        self.dial_at(self.port)
    }

    /// The authority whose certificates it gives, PEM.
    pub(crate) async fn root(&self) -> Vec<u8> {
        let stream = self.dial_at(self.management).connect().await;
        Ask::get("/roots/0").over(stream).await.is(200).body.to_vec()
    }

    fn dial_at(&self, port: u16) -> Dialled {
        let pem = fs::read(self.ca_file()).expect("it is there");
        let connector = toehold_host::tls::connector(Some(&pem)).expect("it is a certificate");
        Dialled { connector, port }
    }

    /// It answers nobody any more.
    pub(crate) fn end(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port of it.
#[derive(Clone)]
pub(crate) struct Dialled {
    connector: TlsConnector,
    port: u16,
}

impl Dialled {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        self.connector.connect(name, tcp).await.expect("it is who it says")
    }

    /// Sends it a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = TokioIo::new(self.connect().await);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.expect("it speaks HTTP");
        tokio::spawn(connection);
        sender.send_request(request).await.expect("it answers")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(command: &mut Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("pebble is there: see see_to_pebble in script/lib")
}

//! What the proxies are to do with certificates, as far as a CA and a visitor see it: a proof on port
//! 80, a proof on port 443, and the certificate itself.

use std::sync::Arc;
use std::time::Duration;

use toehold_core::wire::certificates::{Certificates, KeyPem, Pair};
use toehold_core::wire::proxy::{FromProxy, ToProxy};
use toehold_host::link;
use toehold_server::fleet::Fleet;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::ask::PATIENCE;
use crate::pebble::Ports;
use crate::stage::Stage;

/// A proxy; it ends with this.
pub(crate) struct Front {
    pub(crate) ports: Ports,
    told: watch::Sender<Certificates>,
    tasks: JoinSet<()>,
    link: Option<AbortHandle>,
}

/// How a proxy answers what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Yes,
    No,
    Nothing,
}

impl Front {
    /// It listens for visitors.
    pub(crate) async fn listen() -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0");
        let http = bind().await.expect("a port is free");
        let tls = bind().await.expect("a port is free");
        let port = |of: &TcpListener| of.local_addr().expect("it is bound").port();
        let ports = Ports { http: port(&http), tls: port(&tls) };
        let told = watch::Sender::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_http(http, told.subscribe()));
        tasks.spawn(serve_tls(tls, told.subscribe()));
        Self { ports, told, tasks, link: None }
    }

    /// It listens for visitors on one more port.
    pub(crate) async fn listen_on(&mut self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("it is free");
        self.tasks.spawn(serve_http(listener, self.told.subscribe()));
    }

    /// It dials the control plane, and goes on until that hangs up, or it dials again.
    pub(crate) async fn dial(&mut self, stage: &Stage, answers: Answers) {
        if let Some(link) = self.link.take() {
            link.abort();
        }
        let socket = Fleet::proxy_socket(&stage.control.layout().run());
        let stream = link::dial(&socket, Duration::from_secs(5)).await.expect("somebody listens");
        let (mut reader, mut writer) = link::split::<ToProxy, FromProxy>(stream);
        let hello = FromProxy::Hello { version: "0".into(), listens: Vec::new() };
        writer.send(&hello).await.expect("it is heard");
        let told = self.told.clone();
        let link = self.tasks.spawn(async move {
            while let Ok(Some(said)) = reader.next().await {
                let ToProxy::Certificates(certificates) = said else { continue };
                let serial = certificates.serial;
                assert!(serial >= told.borrow().serial, "{serial} is an earlier one");
                told.send_replace(certificates);
                let answer = match answers {
                    Answers::Yes => FromProxy::Certified { serial },
                    Answers::No => FromProxy::Uncertified { serial, why: "it is too late".into() },
                    Answers::Nothing => continue,
                };
                if writer.send(&answer).await.is_err() {
                    return;
                }
            }
        });
        self.link = Some(link);
    }

    /// What it was told last.
    pub(crate) fn told(&self) -> Certificates {
        self.told.borrow().clone()
    }

    /// Waits until it was told so.
    pub(crate) async fn until(
        &self,
        what: &str,
        holds: impl FnMut(&Certificates) -> bool,
    ) -> Certificates {
        let mut told = self.told.subscribe();
        let waiting = tokio::time::timeout(PATIENCE * 2, told.wait_for(holds)).await;
        let Ok(found) = waiting else { panic!("{what}: {:#?}", self.told()) };
        found.expect("it goes on").clone()
    }

    /// Waits until it has a certificate for this host, which is not `before`, and no proof any more.
    pub(crate) async fn pair(&self, host: &str, before: Option<&Pair>) -> Pair {
        let of = |pair: &&Pair| pair.names == [host] && Some(*pair) != before;
        let done = |it: &Certificates| {
            it.pairs.iter().any(|pair| of(&pair))
                && it.http_challenges.is_empty()
                && it.alpn_challenges.is_empty()
        };
        let told = self.until(host, done).await;
        told.pairs.iter().find(of).cloned().expect("it was there")
    }
}

/// Whether a visitor who trusts `root` alone is content with a certificate.
pub(crate) async fn is_good(pair: &Pair, host: &str, root: &[u8]) -> Result<(), String> {
    let acceptor = acceptor(&pair.chain, &pair.key, &[]);
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(async move { acceptor.accept(ours).await.map(|_| ()) });
    let connector = toehold_host::tls::connector(Some(root))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let met = connector.connect(name, theirs).await.map(|_| ()).map_err(|error| error.to_string());
    let _ = serving.await;
    met
}

/// Not by `with_single_cert`, which refuses what a proof has in it.
pub(crate) fn acceptor(chain: &str, key: &KeyPem, protocols: &[&str]) -> TlsAcceptor {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).expect("it is a key");
    let key = ring::sign::any_supported_type(&key).expect("it is one that signs");
    let shown = CertifiedKey::new(chain.expect("it is a chain"), key);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there are some")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve_http(listener: TcpListener, told: watch::Receiver<Certificates>) {
    while let Ok((stream, _)) = listener.accept().await {
        let told = told.borrow().clone();
        tokio::spawn(async move { answer(stream, &told).await });
    }
}

async fn answer(stream: TcpStream, told: &Certificates) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let _ = stream.read_line(&mut line).await;
    let path = line.split(' ').nth(1).unwrap_or_default();
    let token = path.strip_prefix("/.well-known/acme-challenge/").unwrap_or_default();
    let answer = match told.http_challenges.get(token) {
        Some(print) => format!("200 OK\r\ncontent-length: {}\r\n\r\n{print}", print.len()),
        None => "404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
    };
    let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
    let _ = stream.flush().await;
}

async fn serve_tls(listener: TcpListener, told: watch::Receiver<Certificates>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Some(proof) = told.borrow().alpn_challenges.first().cloned() else { continue };
        let acceptor = acceptor(&proof.chain, &proof.key, &["acme-tls/1"]);
        tokio::spawn(async move {
            if let Ok(mut met) = acceptor.accept(stream).await {
                let _ = met.read(&mut [0; 16]).await;
            }
        });
    }
}

//! Talks to the control plane: over its Unix socket for whoever owns the state folder, or over HTTP or
//! HTTPS with a token.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::uri::{Authority, Parts};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toehold_core::wire::api::Problem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::report::Failure;

/// How long the control plane may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// How long one that answered before may be away: `toehold up` starts it again within seconds.
const AWAY: Duration = Duration::from_secs(15);

/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// The control plane.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    /// Whether it has answered yet.
    answered: Arc<AtomicBool>,
}

/// Where the control plane is.
#[derive(Clone, Debug)]
enum Place {
    /// On this machine.
    Socket(PathBuf),
    /// Elsewhere.
    Http {
        /// Where.
        address: Address,
        /// `th_…`.
        token: String,
    },
}

/// `http://host:port` or `https://host:port`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    /// With a port where it was given.
    authority: Authority,
}

impl Address {
    fn parse(url: &str) -> Option<Self> {
        let Parts { scheme, authority, path_and_query, .. } = url.parse::<Uri>().ok()?.into_parts();
        let tls = match scheme?.as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = authority.filter(|it| !it.as_str().contains('@'))?;
        path_and_query.is_none_or(|path| path == "/").then_some(Self { tls, authority })
    }

    fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// The host, an IPv6 address without its brackets.
    fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }
}

impl Client {
    /// The control plane of this machine, by its socket.
    pub fn socket(path: PathBuf) -> Self {
        Self::at(Place::Socket(path))
    }

    fn at(place: Place) -> Self {
        Self { place, answered: Arc::default() }
    }

    /// The control plane at `http://host:port`, or at `https://host` where a server in front of it
    /// has a certificate.
    pub fn http(url: &str, token: Option<String>) -> Result<Self, Failure> {
        let address = Address::parse(url).ok_or_else(|| {
            Failure::user(format!("{url:?} is not the address of a control plane"))
                .hint("write it as http://127.0.0.1:7077 or https://toehold.example.com")
        })?;
        let token = token.ok_or_else(|| {
            Failure::user("a control plane reached by TOEHOLD_URL needs a token")
                .hint("make one there with `toehold tokens create`, and set TOEHOLD_TOKEN")
        })?;
        Ok(Self::at(Place::Http { address, token }))
    }
    /// `GET path`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    /// `POST path` with a JSON body.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// `PUT path` with a JSON body.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::DELETE, path, None::<&()>).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let may_repeat = method == Method::GET && self.answered.load(Ordering::Relaxed);
        let away_until = Instant::now() + if may_repeat { AWAY } else { Duration::ZERO };
        let (status, bytes) = loop {
            match self.in_time(method.clone(), path, body).await {
                Err(_) if Instant::now() < away_until => tokio::time::sleep(LOOK).await,
                answer => break answer?,
            }
        };
        self.answered.store(true, Ordering::Relaxed);
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| {
                Failure::world("the control plane's answer cannot be understood")
                    .because(&error)
                    .hint("are `toehold` here and there of the same version? see `toehold version`")
            });
        }
        Err(match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Failure::from_problem(problem),
            Err(_) => Failure::world(format!("the control plane answered {status}")),
        })
    }

    async fn in_time(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
        answer.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            Err(Failure::world(format!("the control plane did not answer within {seconds} s"))
                .hint("toehold doctor"))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let body = match body {
            Some(body) => serde_json::to_vec(body)
                .map_err(|error| Failure::world("cannot write the request").because(&error))?,
            None => Vec::new(),
        };
        let request =
            Request::builder().method(method).uri(path).header(CONTENT_TYPE, "application/json");
        match &self.place {
            Place::Socket(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|error| {
                    Failure::world("cannot reach Toehold on this machine")
                        .because(&error)
                        .hint("start it with `toehold up`, or name its folder with --dir")
                })?;
                let request = request.header(HOST, "toehold").body(Full::from(body));
                send(stream, request).await
            }
            Place::Http { address, token } => {
                let request = request
                    .header(HOST, address.authority.as_str())
                    .header(AUTHORIZATION, format!("Bearer {token}"))
                    .body(Full::from(body));
                let stream = dial(address).await?;
                if address.tls {
                    send(secured(address, stream).await?, request).await
                } else {
                    send(stream, request).await
                }
            }
        }
    }
}

async fn dial(address: &Address) -> Result<TcpStream, Failure> {
    TcpStream::connect((address.host(), address.port())).await.map_err(|error| {
        Failure::world(format!("cannot reach Toehold at {}", address.authority))
            .because(&error)
            .hint("is TOEHOLD_URL right, and is it up?")
    })
}

async fn secured(address: &Address, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::world(format!("cannot speak TLS with {}", address.authority)).because(error).hint(
            "the system must trust its certificate: where your own authority signed it, name its \
             file in SSL_CERT_FILE",
        )
    };
    let name = ServerName::try_from(address.host().to_owned()).map_err(|error| failed(&error))?;
    let connector = toehold_host::tls::connector(None).map_err(Failure::world)?;
    connector.connect(name, stream).await.map_err(|error| failed(&error))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<(StatusCode, Bytes), Failure> {
    let broken = |error: &(dyn std::error::Error + 'static)| {
        Failure::world("the link to the control plane broke").because(error)
    };
    let request = request.map_err(|error| {
        Failure::user("that cannot be asked of the control plane").because(&error)
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| broken(error.as_ref()))?
        .to_bytes();
    connection.abort();
    Ok((status, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let parts = |url: &str| {
            let it = Address::parse(url)?;
            Some((it.tls, it.host().to_owned(), it.port()))
        };
        assert_eq!(parts("http://server:7077"), Some((false, "server".into(), 7077)));
        assert_eq!(
            parts("https://toehold.example.com/"),
            Some((true, "toehold.example.com".into(), 443))
        );
        assert_eq!(parts("http://[::1]:7077"), Some((false, "::1".into(), 7077)));
        for bad in [
            "",
            "server:7077",
            "ftp://server",
            "http://",
            "http://a/b",
            "http://a b",
            "https://me@server",
        ] {
            assert_eq!(parts(bad), None, "{bad:?} was taken");
        }
    }
}

//! Asking a server by HTTP for JSON: its name resolved once, no redirect followed, everything
//! bounded in time and size.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use thiserror::Error;
use toehold_host::tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::is_no_host;

/// The longest a call may take, resolving and connecting included.
const CALL: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 1024 * 1024;

/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;

/// Where an API is: `https://api.github.com`, also with a path.
pub struct Base {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty where it was longer than 1 MiB.
    pub body: Bytes,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot reach {host}: {why}")]
pub struct Unanswered {
    host: String,
    why: String,
}

impl Base {
    /// A base that can be called. An error says what is wrong with the URL, which may come from a
    /// file that holds secrets and is not repeated.
    pub fn new(url: &str) -> Result<Self, String> {
        let url: Uri = url.trim_end_matches('/').parse().map_err(|_| "it is not a URL")?;
        let authority = url.authority().ok_or("write it as https://host/path")?;
        if authority.as_str().contains('@') {
            return Err("it must not hold a password".to_owned());
        }
        if url.query().is_some() {
            return Err("it must not hold a query".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, usual_port) = match url.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(tls::connector(None)?), 443),
            _ => return Err("it begins with neither https:// nor http://".to_owned()),
        };
        let port = authority.port_u16().unwrap_or(usual_port);
        Ok(Self { url, host, port, tls })
    }

    /// Where it is, without the path.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Asks for `path` below it. `headers` say who asks.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Answer, Unanswered> {
        let asking = async {
            let request = self.request(method, path, headers, body)?;
            let stream = self.connect().await?;
            match &self.tls {
                None => exchange(stream, request).await,
                Some(tls) => {
                    let name = ServerName::try_from(self.host.clone())
                        .map_err(|_| "the name cannot be in a certificate".to_owned())?;
                    let stream = tls.connect(name, stream).await.map_err(words)?;
                    exchange(stream, request).await
                }
            }
        };
        let answered = tokio::time::timeout(CALL, asking).await;
        answered
            .unwrap_or_else(|_| Err(format!("no answer came in {} s", CALL.as_secs())))
            .map_err(|why| Unanswered { host: self.host.clone(), why })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url.path().trim_end_matches('/')))
            .header(HOST, self.url.authority().map_or("", |it| it.as_str()))
            .header(USER_AGENT, concat!("toehold/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(Full::new(bytes)).map_err(words)?;
        request.headers_mut().extend(headers);
        Ok(request)
    }

    /// What was looked at is what is dialled.
    async fn connect(&self) -> Result<TcpStream, String> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found: Vec<SocketAddr> = found.map_err(words)?.take(ADDRESSES).collect();
        let mut why = "the name has no address".to_owned();
        for addr in found {
            if is_no_host(addr.ip()) {
                return Err(format!("the name leads to {}, which is nobody's", addr.ip()));
            }
            match TcpStream::connect(addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }
}

fn words(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(words)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(words)?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            ended.map_err(words)?;
            exchange.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_an_address_without_secrets() {
        for bad in ["", "x", "/x", "ftp://x", "https://me:secret@x/y", "https://x/y?token=secret"] {
            let why = Base::new(bad).err().expect(bad);
            assert!(!why.contains("secret"), "{why}");
        }
        assert_eq!(Base::new("https://api.github.com/").map(|it| it.port), Ok(443));
    }

    #[tokio::test]
    async fn an_address_of_the_local_link_is_not_dialled() {
        let base = Base::new("http://169.254.169.254").expect("a URL");
        let refused = base.call(Method::GET, "/x", HeaderMap::new(), None).await;
        let why = refused.expect_err("it is refused").to_string();
        assert!(why.contains("nobody's"), "{why}");
    }
}

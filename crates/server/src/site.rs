//! A server somebody gave the URL of: its name resolved once, so that what was looked at is what is
//! dialled; one request a connection, no redirect followed, and no more of an answer than is asked
//! for. What may be called, and for how long, is for those above to say.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use toehold_core::tell::chain;
use toehold_host::tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// How many addresses of a name are tried.
const ADDRESSES: usize = 4;

/// The longest one of them may be silent before the next is tried.
const CONNECT: Duration = Duration::from_secs(2);

/// Where a server is, and how it proves who it is.
pub struct Site {
    url: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

/// What it answered.
pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `None` where it was longer than was asked for.
    pub body: Option<Bytes>,
}

impl Site {
    /// The site of `url`, vouched for by the authorities of `pem` alone where that is given. An
    /// error says what is wrong with the URL, which may be a secret and is not repeated.
    pub fn new(url: &str, pem: Option<&[u8]>) -> Result<Self, String> {
        let url: Uri = url.trim().parse().map_err(|_| "it is not a URL")?;
        let authority = url.authority().ok_or("write it as https://host/path")?;
        if authority.as_str().contains('@') {
            return Err("it must not hold a password".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, usual_port) = match url.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(tls::connector(pem)?), 443),
            _ => return Err("it begins with neither https:// nor http://".to_owned()),
        };
        let port = authority.port_u16().unwrap_or(usual_port);
        Ok(Self { url, host, port, tls })
    }

    /// Its name or address, without port and path.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The URL it was made of.
    pub const fn url(&self) -> &Uri {
        &self.url
    }

    /// A request for `target`, a path with or without a query, that carries JSON where it carries
    /// anything.
    pub fn request(
        &self,
        method: Method,
        target: String,
        headers: HeaderMap,
        json: Option<Bytes>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, self.url.authority().map_or("", |it| it.as_str()))
            .header(USER_AGENT, concat!("toehold/", env!("CARGO_PKG_VERSION")));
        if json.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request =
            request.body(Full::new(json.unwrap_or_default())).map_err(|error| chain(&error))?;
        request.headers_mut().extend(headers);
        Ok(request)
    }

    /// The addresses of its name, a few of them.
    pub async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        Ok(found.take(ADDRESSES).collect())
    }

    /// Sends a request to the first of the addresses that answers, and reads up to `most` bytes.
    pub async fn send(
        &self,
        addresses: &[SocketAddr],
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Said, String> {
        let stream = connect(addresses).await?;
        let Some(tls) = &self.tls else { return exchange(stream, request, most).await };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| "the name cannot be in a certificate".to_owned())?;
        let stream = tls.connect(name, stream).await.map_err(|error| chain(&error))?;
        exchange(stream, request, most).await
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut why = "the name has no address".to_owned();
    for (at, address) in addresses.iter().enumerate() {
        // The last one has all the time that is left.
        let patience = if at + 1 < addresses.len() { CONNECT } else { Duration::MAX };
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("{address} does not answer"),
        }
    }
    Err(why)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, most: usize) -> Result<Said, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| chain(&error))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| chain(&error))?;
        let (head, body) = answer.into_parts();
        // One that breaks off says something else than it meant to say.
        let body = match Limited::new(body, most).collect().await {
            Ok(body) => Some(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => None,
            Err(error) => return Err(format!("its answer broke off: {error}")),
        };
        Ok(Said { status: head.status, headers: head.headers, body })
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => {
            ended.map_err(|error| chain(&error))?;
            exchange.await
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_url_that_cannot_be_one_is_refused_and_not_repeated() {
        let bad = ["", "x", "/x", "ftp://example.com/sesame", "https://u:sesame@example.com/"];
        for bad in bad {
            let why = Site::new(bad, None).err().expect(bad);
            assert!(!why.contains("sesame"), "{why}");
        }
        assert_eq!(Site::new("https://api.github.com/", None).map(|it| it.port), Ok(443));
        assert_eq!(Site::new("http://[::1]:3000", None).map(|it| it.port), Ok(3000));
    }

    /// A server that says these bytes to each who asks, and hangs up.
    async fn server(said: &'static str) -> Site {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 1024];
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(said.as_bytes()).await;
            }
        });
        Site::new(&format!("http://{address}"), None).expect("it is a URL")
    }

    async fn asked(site: &Site) -> Result<Option<Bytes>, String> {
        let request = site.request(Method::GET, "/".into(), HeaderMap::new(), None)?;
        let addresses = site.resolve().await.expect("it is an address");
        site.send(&addresses, request, 8).await.map(|said| said.body)
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none_and_one_that_is_too_long_is_known() {
        let whole = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(asked(&whole).await, Ok(Some(Bytes::from("ok"))));
        let broken = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
        assert!(asked(&broken).await.is_err_and(|why| why.contains("broke off")));
        let long = server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok, ok, o").await;
        assert_eq!(asked(&long).await, Ok(None));
    }
}

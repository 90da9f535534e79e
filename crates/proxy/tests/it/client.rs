//! A visitor.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A visitor with one kept connection.
pub(crate) struct Client {
    addr: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("it is text"))
    }
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("it is a socket");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("it is HTTP");
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { addr, sender }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", "shop.localhost");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("it is a request");
        self.try_send(request).await.expect("it is answered")
    }

    /// Sends one request; over a new connection where the kept one was closed.
    pub(crate) async fn try_send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, hyper::Error> {
        if self.sender.ready().await.is_err() {
            *self = Self::connect(self.addr).await;
        }
        let response = self.sender.send_request(request).await?;
        whole(response).await
    }

    /// Sends one request; the answer's body is still to come.
    pub(crate) async fn begin(&mut self, path: &str) -> Response<Incoming> {
        let request = Request::get(path)
            .header("host", "shop.localhost")
            .body(Full::default())
            .expect("it is a request");
        self.sender.ready().await.expect("it is open");
        self.sender.send_request(request).await.expect("it is answered")
    }
}

async fn whole(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

/// A visitor who sends bytes of their own making.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.expect("the proxy listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self(stream)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("the proxy reads");
    }

    /// What comes until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut got = Vec::new();
        let coming = async {
            while !String::from_utf8_lossy(&got).contains(end) {
                let count = self.0.read_buf(&mut got).await.expect("it is open");
                assert!(count > 0, "it ended before {end:?}");
            }
        };
        let came = tokio::time::timeout(Duration::from_secs(20), coming).await;
        let got = String::from_utf8_lossy(&got).into_owned();
        assert!(came.is_ok(), "{end:?} never came, only {got:?}");
        got
    }

    /// What comes until the proxy closes the connection, and whether it was reset.
    pub(crate) async fn rest(&mut self) -> (String, bool) {
        let mut got = Vec::new();
        let coming = async {
            loop {
                match self.0.read_buf(&mut got).await {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(_) => return true,
                }
            }
        };
        let reset = tokio::time::timeout(Duration::from_secs(20), coming).await;
        let got = String::from_utf8_lossy(&got).into_owned();
        (got, reset.expect("the proxy closes the connection"))
    }
}

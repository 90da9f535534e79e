//! A visitor.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::eventually;

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

    /// Waits until everything that was sent was read at the other end.
    pub(crate) async fn until_read(&self) {
        let (here, there) = self.ends();
        eventually("everything was read", || async move {
            let (ours, theirs) = (queues(here, there)?, queues(there, here)?);
            (ours.unsent == 0 && theirs.unread == 0).then_some(())
        })
        .await;
    }

    /// Waits until everything that was sent lies at the other end.
    pub(crate) async fn until_there(&self) {
        let (here, there) = self.ends();
        let arrived = || async move { (queues(here, there)?.unsent == 0).then_some(()) };
        eventually("everything arrived", arrived).await;
    }

    /// Waits until so many bytes lie here that were not read.
    pub(crate) async fn until_unread(&self, bytes: u64) {
        let (here, there) = self.ends();
        let lies_here = || async move { (queues(here, there)?.unread >= bytes).then_some(()) };
        eventually("much lies here", lies_here).await;
    }

    fn ends(&self) -> (SocketAddr, SocketAddr) {
        let here = self.0.local_addr().expect("it is open");
        (here, self.0.peer_addr().expect("it is open"))
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

/// What waits at one end of a connection of this machine, in bytes.
#[derive(Clone, Copy, Debug)]
struct Queues {
    /// What the other end's kernel has not said that it has.
    unsent: u64,
    /// What the program has not read.
    unread: u64,
}

/// As the kernel says it: `proc_net_tcp(5)`.
fn queues(here: SocketAddr, there: SocketAddr) -> Option<Queues> {
    let said = |addr: SocketAddr| {
        let IpAddr::V4(ip) = addr.ip() else { panic!("{addr} is not of IPv4") };
        format!("{:08X}:{:04X}", ip.to_bits().swap_bytes(), addr.port())
    };
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel says it");
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut line = line.filter(|it| it.len() > 4 && it[1] == said(here) && it[2] == said(there));
    let (unsent, unread) = line.next()?[4].split_once(':')?;
    let number = |hex| u64::from_str_radix(hex, 16).ok();
    Some(Queues { unsent: number(unsent)?, unread: number(unread)? })
}

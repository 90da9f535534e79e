//! An instance of an app: a real server that can be killed.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// An instance.
pub(crate) struct Origin {
    pub(crate) ordinal: u64,
    pub(crate) addr: SocketAddr,
    pub(crate) state: Arc<State>,
    runtime: Option<Runtime>,
}

/// What an instance saw, and what it waits for.
#[derive(Default)]
pub(crate) struct State {
    name: String,
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    /// The last body that was received whole.
    pub(crate) last_body: Mutex<Bytes>,
    /// Requests to `/hold` wait until this is raised.
    released: tokio::sync::watch::Sender<bool>,
    /// How long each request waits before it is answered, in milliseconds.
    delay_ms: AtomicU64,
    /// What each request is answered with; 0: what its path says.
    status: AtomicU16,
}

impl State {
    async fn wait_as_told(&self) {
        let delay = self.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
    }
}

impl Origin {
    pub(crate) fn start(ordinal: u64) -> Self {
        Self::start_at(ordinal, ([127, 0, 0, 1], 0).into())
    }

    /// At an address that may just have been given up.
    pub(crate) fn start_at(ordinal: u64, addr: SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.set_reuse_address(true).expect("the address may be used again");
        socket.bind(&addr.into()).expect("the address is free");
        socket.listen(1024).expect("it listens");
        socket.set_nonblocking(true).expect("it does not block");
        let listener = std::net::TcpListener::from(socket);
        let addr = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { name: format!("web.{ordinal}"), ..State::default() });
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let serving = state.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("it is a listener");
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("it is a socket");
                serving.connections.fetch_add(1, Ordering::Relaxed);
                let state = serving.clone();
                let service = service_fn(move |request| answer(state.clone(), request));
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        Self { ordinal, addr, state, runtime: Some(runtime) }
    }

    /// As by SIGKILL: its sockets are gone, whatever was under way.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let gone = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_secs(5)));
            gone.join().expect("no panic");
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// From now on each request takes at least so long.
    pub(crate) fn takes(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).expect("it is short");
        self.state.delay_ms.store(delay, Ordering::Relaxed);
    }

    /// From now on each request is answered with this status; `None`: as its path says.
    pub(crate) fn says(&self, status: Option<StatusCode>) {
        self.state.status.store(status.map_or(0, |status| status.as_u16()), Ordering::Relaxed);
    }

    /// Lets requests go on that are held.
    pub(crate) fn release(&self) {
        self.state.released.send_replace(true);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.kill();
    }
}

type Answer = Response<Parts>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, &'static str> {
    state.requests.fetch_add(1, Ordering::Relaxed);
    state.wait_as_told().await;
    if let Ok(told) = StatusCode::from_u16(state.status.load(Ordering::Relaxed)) {
        return Ok(status(told));
    }
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/headers" => Ok(text(headers(&request))),
        "/echo" => {
            let body = request.into_body().collect().await.map_err(|_| "cut")?.to_bytes();
            *state.last_body.lock().expect("no panic") = body.clone();
            Ok(text(body))
        }
        "/early" => Ok(status(StatusCode::IM_A_TEAPOT)),
        "/drop" => {
            let _ = request.into_body().collect().await;
            Err("it breaks off")
        }
        "/hold" => {
            let mut released = state.released.subscribe();
            let _ = released.wait_for(|&released| released).await;
            Ok(text(state.name.clone()))
        }
        "/stream" => {
            let (parts, body) = Parts::new();
            let mut released = state.released.subscribe();
            tokio::spawn(async move {
                let _ = parts.send(Ok("first".into())).await;
                let _ = released.wait_for(|&released| released).await;
                let _ = parts.send(Ok("second".into())).await;
            });
            Ok(Response::new(body))
        }
        "/cut" | "/cut-length" => {
            let (parts, body) = Parts::new();
            let _ = parts.send(Ok("first".into())).await;
            tokio::spawn(async move {
                // Only once the first was taken is there room for the second.
                let _ = parts.send(Ok("second".into())).await;
                let _ = parts.send(Err("cut")).await;
            });
            let length = (path == "/cut-length").then_some(("content-length", "1000"));
            let mut response = Response::builder();
            if let Some((name, value)) = length {
                response = response.header(name, value);
            }
            Ok(response.body(body).expect("it is a response"))
        }
        "/trailers" => {
            let (parts, body) = Parts::new();
            tokio::spawn(async move {
                let _ = parts.send(Ok("body".into())).await;
            });
            let mut response = Response::new(body);
            response.body_mut().trailers = HeaderMap::from_iter([(
                HeaderName::from_static("x-sum"),
                HeaderValue::from_static("42"),
            )]);
            response.headers_mut().insert("trailer", "x-sum".parse().expect("a value"));
            Ok(response)
        }
        "/large" => Ok(text(vec![b'x'; 3_000_000])),
        "/upgrade" => Ok(upgrade(request)),
        "/unasked" => Ok(status(StatusCode::SWITCHING_PROTOCOLS)),
        "/empty" => Ok(status(StatusCode::NO_CONTENT)),
        _ => Ok(text(state.name.clone())),
    }
}

fn headers(request: &Request<Incoming>) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.uri())];
    for (name, value) in request.headers() {
        lines.push(format!("{name}: {}", value.to_str().expect("it is text")));
    }
    lines.join("\n")
}

fn text(text: impl Into<Bytes>) -> Answer {
    let text = text.into();
    let length = text.len();
    let mut response = Response::new(Parts::all(text));
    response.headers_mut().insert("content-length", length.into());
    response
}

fn status(status: StatusCode) -> Answer {
    let mut response = Response::new(Parts::all(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Agrees to go on as an echo.
fn upgrade(mut request: Request<Incoming>) -> Answer {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let mut io = TokioIo::new(upgraded);
        let mut space = [0; 1024];
        while let Ok(count @ 1..) = io.read(&mut space).await {
            if io.write_all(&space[..count]).await.is_err() {
                return;
            }
        }
    });
    let mut response = status(StatusCode::SWITCHING_PROTOCOLS);
    response.headers_mut().insert("connection", "upgrade".parse().expect("a value"));
    response.headers_mut().insert("upgrade", "echo".parse().expect("a value"));
    response
}

/// A body, as parts that are sent one by one.
pub(crate) struct Parts {
    coming: mpsc::Receiver<Result<Bytes, &'static str>>,
    all: Option<Bytes>,
    /// Fields behind them.
    pub(crate) trailers: HeaderMap,
}

impl Parts {
    pub(crate) fn new() -> (mpsc::Sender<Result<Bytes, &'static str>>, Self) {
        let (sender, coming) = mpsc::channel(1);
        (sender, Self { coming, all: None, trailers: HeaderMap::new() })
    }

    pub(crate) fn all(bytes: Bytes) -> Self {
        let (_, coming) = mpsc::channel(1);
        Self { coming, all: Some(bytes).filter(|it| !it.is_empty()), trailers: HeaderMap::new() }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn is_end_stream(&self) -> bool {
        let over = self.coming.is_closed() && self.coming.is_empty();
        over && self.all.is_none() && self.trailers.is_empty()
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Some(all) = self.all.take() {
            return Poll::Ready(Some(Ok(Frame::data(all))));
        }
        match ready!(self.coming.poll_recv(cx)) {
            Some(part) => Poll::Ready(Some(part.map(Frame::data))),
            None if self.trailers.is_empty() => Poll::Ready(None),
            None => Poll::Ready(Some(Ok(Frame::trailers(std::mem::take(&mut self.trailers))))),
        }
    }
}

/// A server that sends exactly these bytes to the first request of each connection, then closes.
pub(crate) async fn says(ordinal: u64, bytes: &'static [u8]) -> (Origin, SocketAddr) {
    let origin = Origin::start(ordinal);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut space = [0; 4096];
                let _ = stream.read(&mut space).await;
                let _ = stream.write_all(bytes).await;
                let _ = tokio::time::timeout(Duration::from_secs(5), stream.shutdown()).await;
            });
        }
    });
    (origin, addr)
}

/// A socket whose connections a test answers by hand.
pub(crate) async fn raw(ordinal: u64) -> (Origin, TcpListener) {
    let mut origin = Origin::start(ordinal);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    origin.addr = listener.local_addr().expect("it is bound");
    (origin, listener)
}

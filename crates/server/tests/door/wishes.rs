//! A CA that says when it wishes a renewal (RFC 9773), which Debian's Pebble does not yet: all that it
//! is asked goes on to Pebble but for that.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use toehold_core::time::Timestamp;
use toehold_core::wire::certificates::KeyPem;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::front::acceptor;
use crate::pebble::{Dialled, Pebble};

/// The CA; it ends with this.
pub(crate) struct Wishes {
    port: u16,
    said: Arc<Said>,
    _tasks: JoinSet<()>,
}

/// What it says, and what it was asked.
struct Said {
    pebble: Dialled,
    port: u16,
    window: Mutex<(Timestamp, Timestamp)>,
    asked: Mutex<Vec<String>>,
    replaced: Mutex<Vec<String>>,
}

impl Wishes {
    /// In front of Pebble, with this window for every certificate.
    pub(crate) async fn before(pebble: &Pebble, window: (Timestamp, Timestamp)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let said = Arc::new(Said {
            pebble: pebble.dialled(),
            port,
            window: Mutex::new(window),
            asked: Mutex::default(),
            replaced: Mutex::default(),
        });
        let (chain, key) = pebble.own();
        let acceptor = acceptor(&chain, &KeyPem::new(key), &[]);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, acceptor, Arc::clone(&said)));
        Self { port, said, _tasks: tasks }
    }

    /// The URL of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// The certificates it was asked about, and those that an order said to replace.
    pub(crate) fn heard(&self) -> (Vec<String>, Vec<String>) {
        (all(&self.said.asked), all(&self.said.replaced))
    }
}

fn all(of: &Mutex<Vec<String>>) -> Vec<String> {
    of.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn note(of: &Mutex<Vec<String>>, what: &str) {
    of.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, said: Arc<Said>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, said) = (acceptor.clone(), Arc::clone(&said));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer = service_fn(|request| answer(Arc::clone(&said), request));
            let serving = hyper::server::conn::http1::Builder::new();
            let _ = serving.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    said: Arc<Said>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if let Some(id) = path.strip_prefix("/renewal-info/") {
        note(&said.asked, id);
        let (start, end) = *said.window.lock().unwrap_or_else(PoisonError::into_inner);
        let window = json!({ "suggestedWindow": {
            "start": start.to_string(), "end": end.to_string(),
        }});
        let answer = Response::builder().header(RETRY_AFTER, "21600");
        return Ok(answer.body(Full::from(window.to_string())).expect("it is one"));
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("it comes whole").to_bytes();
    if let Some(id) = replaced(&body) {
        note(&said.replaced, &id);
    }
    let answered = said.pebble.send(Request::from_parts(head, Full::from(body))).await;
    let (mut head, body) = answered.into_parts();
    let mut body = body.collect().await.expect("it comes whole").to_bytes();
    if path == "/dir" {
        let mut directory: Value = serde_json::from_slice(&body).expect("it is JSON");
        directory["renewalInfo"] = json!(format!("https://127.0.0.1:{}/renewal-info", said.port));
        body = Bytes::from(directory.to_string());
        head.headers.remove(CONTENT_LENGTH);
    }
    Ok(Response::from_parts(head, Full::from(body)))
}

/// What a signed order says to replace.
fn replaced(body: &[u8]) -> Option<String> {
    let signed: Value = serde_json::from_slice(body).ok()?;
    let payload = URL_SAFE_NO_PAD.decode(signed["payload"].as_str()?).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    payload["replaces"].as_str().map(ToOwned::to_owned)
}

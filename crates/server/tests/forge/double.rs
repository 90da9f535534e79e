//! A server on loopback that writes down what it is asked, and answers as it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use toehold_server::clock::SetClock;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was asked, and what was answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) status: u16,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }
}

/// An answer that is given whatever is asked.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) message: &'static str,
}

/// What answers where nothing was told.
type Contract = dyn Fn(&Asked) -> (u16, Value) + Send + Sync;

/// The server.
pub(crate) struct Double {
    pub(crate) addr: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
    told: Arc<Mutex<VecDeque<Told>>>,
    serving: JoinHandle<()>,
}

impl Double {
    pub(crate) async fn start(
        contract: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = listener.local_addr().expect("it has an address");
        let (sender, asked) = mpsc::unbounded_channel();
        let told: Arc<Mutex<VecDeque<Told>>> = Arc::default();
        let inside = (sender, Arc::clone(&told), Arc::new(contract) as Arc<Contract>);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let inside = inside.clone();
                let service = service_fn(move |request| {
                    let inside = inside.clone();
                    async move { Ok::<_, Infallible>(answer(request, inside).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { addr, asked, told, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next answers, in order, whatever is asked.
    pub(crate) fn tell(&self, status: u16, headers: &[(&'static str, &str)], times: usize) {
        self.tell_in_words(status, headers, "as it was told", times);
    }

    /// The same, with these words.
    pub(crate) fn tell_in_words(
        &self,
        status: u16,
        headers: &[(&'static str, &str)],
        message: &'static str,
        times: usize,
    ) {
        let headers: Vec<_> = headers.iter().map(|(name, it)| (*name, (*it).to_owned())).collect();
        let told = Told { status, headers, message };
        let mut queue = self.told.lock().expect("nobody panicked");
        queue.extend(std::iter::repeat_n(told, times));
    }

    /// The next that is asked.
    pub(crate) async fn next(&mut self) -> Asked {
        let next = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        next.expect("something is asked in time").expect("the server runs")
    }

    /// The next that is asked, once the clock has moved on by this. Where time moved before the
    /// answer before it was heard, it has to move on once more.
    pub(crate) async fn next_after(&mut self, clock: &SetClock, wait: Duration) -> Asked {
        for _ in 0..20 {
            clock.advance(wait);
            let next = tokio::time::timeout(Duration::from_millis(200), self.asked.recv()).await;
            if let Ok(Some(asked)) = next {
                return asked;
            }
        }
        panic!("nothing is asked however long is waited");
    }

    /// Whether nothing more was asked up to now.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Inside = (mpsc::UnboundedSender<Asked>, Arc<Mutex<VecDeque<Told>>>, Arc<Contract>);

async fn answer(
    request: Request<Incoming>,
    (sender, told, contract): Inside,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("it comes whole").to_bytes();
    let mut asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        status: 0,
    };
    let next = told.lock().expect("nobody panicked").pop_front();
    let (status, headers, body) = if let Some(told) = next {
        (told.status, told.headers, json!({ "message": told.message }))
    } else {
        let (status, body) = contract(&asked);
        (status, Vec::new(), body)
    };
    asked.status = status;
    let _ = sender.send(asked);
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(body.to_string()))).expect("it is an answer")
}

//! A question by HTTP and its answer, over TCP or a Unix socket.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long an answer may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn new(method: &Method, path: &str) -> Self {
        let (method, path) = (method.clone(), path.to_owned());
        Self { method, path, headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(&Method::GET, path)
    }

    pub(crate) fn post(path: &str) -> Self {
        Self::new(&Method::POST, path)
    }

    pub(crate) fn put(path: &str) -> Self {
        Self::new(&Method::PUT, path)
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new(&Method::DELETE, path)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((HeaderName::from_static(name), value.to_owned()));
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.headers.push((AUTHORIZATION, format!("Bearer {token}")));
        self
    }

    /// As a browser that is logged in, from a page of ours.
    pub(crate) fn session(mut self, session: &str) -> Self {
        self.headers.push((COOKIE, format!("toehold-session={session}")));
        self.header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn json(mut self, body: &serde_json::Value) -> Self {
        self.headers.push((CONTENT_TYPE, "application/json".into()));
        self.body = Bytes::from(body.to_string());
        self
    }

    pub(crate) fn form(mut self, body: &str) -> Self {
        self.headers.push((CONTENT_TYPE, "application/x-www-form-urlencoded".into()));
        self.body = Bytes::from(body.to_owned());
        self
    }

    pub(crate) fn bytes(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.headers.push((CONTENT_TYPE, kind.into()));
        self.body = body.into();
        self
    }

    pub(crate) async fn over<S>(self, stream: S) -> Answer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        tokio::time::timeout(PATIENCE, self.exchange(stream)).await.expect("it is answered in time")
    }

    async fn exchange<S>(self, stream: S) -> Answer
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let response = self.begin(stream).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the answer comes whole").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// The head of the answer, with its body still to come.
    pub(crate) async fn begin<S>(self, stream: S) -> hyper::Response<hyper::body::Incoming>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("the link is made");
        tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path);
        if !self.headers.iter().any(|(name, _)| *name == HOST) {
            request = request.header(HOST, "toehold.test");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request =
            request.body(Full::<Bytes>::from(self.body)).expect("the request is well-formed");
        sender.send_request(request).await.expect("the request is answered")
    }
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}: {}", self.status, self.text()))
    }

    pub(crate) fn value(&self) -> serde_json::Value {
        self.json()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// The code of a problem.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.value();
        assert_eq!(problem["status"], self.status, "the body says another status");
        assert!(!problem["title"].as_str().unwrap_or_default().is_empty(), "it says nothing");
        problem["code"].as_str().expect("it has a code").to_owned()
    }

    /// Panics unless it has this status.
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

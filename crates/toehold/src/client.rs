//! Talks to the control plane: over its Unix socket for whoever owns the state folder, or over HTTP
//! with a token.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toehold_core::wire::api::Problem;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::report::Failure;

/// How long the control plane may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// Where the control plane is.
#[derive(Clone, Debug)]
pub enum Client {
    /// On this machine.
    Socket(PathBuf),
    /// Elsewhere.
    Http {
        /// `host:port`.
        authority: String,
        /// `th_…`.
        token: String,
    },
}

impl Client {
    /// The control plane at `http://host:port`.
    pub fn http(url: &str, token: Option<String>) -> Result<Self, Failure> {
        let authority = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let Some(authority) = authority.filter(|it| !it.is_empty() && !it.contains('/')) else {
            return Err(Failure::user(format!("{url:?} is not the address of a control plane"))
                .hint("write it as http://127.0.0.1:7077"));
        };
        let token = token.ok_or_else(|| {
            Failure::user("a control plane reached by TOEHOLD_URL needs a token")
                .hint("make one there with `toehold tokens create`, and set TOEHOLD_TOKEN")
        })?;
        Ok(Self::Http { authority: authority.to_owned(), token })
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
        let (status, bytes) = tokio::time::timeout(PATIENCE, self.exchange(method, path, body))
            .await
            .map_err(|_| {
                Failure::world(format!(
                    "the control plane did not answer within {} s",
                    PATIENCE.as_secs()
                ))
                .hint("toehold doctor")
            })??;
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
        match self {
            Self::Socket(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|error| {
                    Failure::world("cannot reach Toehold on this machine")
                        .because(&error)
                        .hint("start it with `toehold up`, or name its folder with --dir")
                })?;
                let request = request.header(HOST, "toehold").body(Full::from(body));
                send(stream, request).await
            }
            Self::Http { authority, token } => {
                let stream = TcpStream::connect(authority).await.map_err(|error| {
                    Failure::world(format!("cannot reach Toehold at {authority}"))
                        .because(&error)
                        .hint("is TOEHOLD_URL right, and is it up?")
                })?;
                let request = request
                    .header(HOST, authority)
                    .header(AUTHORIZATION, format!("Bearer {token}"))
                    .body(Full::from(body));
                send(stream, request).await
            }
        }
    }
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

//! Asking an instance whether it can serve, and keeping what it said.

mod command;
mod http;
mod listens;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toehold_core::model::{Evidence, HealthKind};
use toehold_core::plain;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::time::now;

pub(crate) use listens::listening_ports;

/// How much of a body is kept, in bytes.
const BODY_BYTES: usize = 240;

/// What is asked, and of whom.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) kind: HealthKind,
    pub(crate) addr: SocketAddr,
    pub(crate) timeout: Duration,
    /// For a command: where and with what around it it runs.
    pub(crate) dir: PathBuf,
    pub(crate) env: Vec<(OsString, OsString)>,
}

/// What came back, before anything is said about time.
#[derive(Debug)]
struct Answer {
    text: String,
    body: Vec<u8>,
    passed: bool,
}

impl Answer {
    fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), body: Vec::new(), passed: false }
    }
}

/// Asks once, for at most the timeout. Who stops waiting ends what was begun.
pub(crate) async fn probe(ask: &Ask) -> Evidence {
    let (at, begun) = (now(), Instant::now());
    let answer = match &ask.kind {
        HealthKind::Http { path } => within(ask, http::get(ask.addr, path)).await,
        HealthKind::Tcp => within(ask, connect(ask.addr)).await,
        // A command has to be ended, not only left alone, when its time is over.
        HealthKind::Command { run } => command::run(ask, run).await,
    };
    Evidence {
        at,
        asked: asked(ask),
        answer: answer.text,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        body: safe(&answer.body),
        passed: answer.passed,
    }
}

async fn within(ask: &Ask, answer: impl Future<Output = Answer>) -> Answer {
    let late = |_| Answer::failed(format!("no answer within {:?}", ask.timeout));
    tokio::time::timeout(ask.timeout, answer).await.unwrap_or_else(late)
}

async fn connect(addr: SocketAddr) -> Answer {
    match TcpStream::connect(addr).await {
        Ok(_) => Answer { text: "connected".to_owned(), body: Vec::new(), passed: true },
        Err(error) => Answer::failed(unreachable(&error)),
    }
}

fn unreachable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        _ => format!("cannot connect: {error}"),
    }
}

fn asked(ask: &Ask) -> String {
    match &ask.kind {
        HealthKind::Http { path } => format!("GET {path} on {}", ask.addr),
        HealthKind::Tcp => format!("connect to {}", ask.addr),
        HealthKind::Command { run } => format!("run `{run}`"),
    }
}

/// The first bytes as one line that can be shown anywhere: no control characters, nothing that
/// turns the direction of text.
fn safe(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES)]);
    plain::line(&text, BODY_BYTES)
}

#[cfg(test)]
mod tests;

//! `git http-backend` at work: what comes from the client goes to its stdin, what it answers goes
//! back, and nothing of it outlives the client for long.

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

/// The largest head of an answer, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// How long git may go on once its client is gone: it ends by itself where it can, and tidies up.
const GRACE: Duration = Duration::from_secs(10);

/// How long it has to end after it was told to.
const LAST_CALL: Duration = Duration::from_secs(5);

/// How long git may still tidy up after its whole answer.
const TIDY_UP: Duration = Duration::from_mins(10);

/// What a client may take of us.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body, in bytes.
    pub bytes: u64,
    /// How long it may send nothing while git waits for more.
    pub idle: Duration,
}

/// Why git gave no answer.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The program is missing or cannot be run.
    #[error("cannot run `git http-backend`")]
    Start(#[source] std::io::Error),
    /// It ended, or was ended, before it answered.
    #[error("git ended before it answered")]
    NoAnswer,
}

/// The beginning of an answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The rest.
    pub output: Output,
}

/// What git still has to say. Dropped before its end, git is ended.
#[derive(Debug)]
pub struct Output {
    first: Bytes,
    stdout: ChildStdout,
    gone: Option<DropGuard>,
}

impl Output {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        if !self.first.is_empty() {
            return Some(std::mem::take(&mut self.first));
        }
        let mut piece = BytesMut::with_capacity(16 * 1024);
        if let Ok(1..) = self.stdout.read_buf(&mut piece).await {
            return Some(piece.freeze());
        }
        if let Some(gone) = self.gone.take() {
            gone.disarm();
        }
        None
    }
}

/// Runs it. `kept` is held until git has ended.
///
/// # Errors
/// Where git cannot be run, or ends without an answer: as it does where the client stops sending.
pub async fn serve<S, E, K>(
    command: Command,
    input: S,
    limits: Limits,
    kept: K,
) -> Result<Reply, ServiceError>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send,
    K: Send + 'static,
{
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(ServiceError::Start)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(mut stdout)) = (stdin, stdout) else {
        return Err(ServiceError::NoAnswer);
    };
    let gone = CancellationToken::new();
    tokio::spawn(watch(child, gone.clone(), kept));
    let guard = gone.clone().drop_guard();
    tokio::spawn(async move {
        tokio::select! {
            fed = feed(stdin, input, limits) => if let Err(why) = fed {
                debug!(why, "a client of git stopped in the middle");
                gone.cancel();
            },
            () = gone.cancelled() => {}
        }
    });
    let mut head = BytesMut::new();
    loop {
        if let Some(end) = head.windows(4).position(|it| it == b"\r\n\r\n") {
            let first = head.split_off(end + 4).freeze();
            let (status, headers) = read_head(&String::from_utf8_lossy(&head));
            return Ok(Reply {
                status,
                headers,
                output: Output { first, stdout, gone: Some(guard) },
            });
        }
        let read = stdout.read_buf(&mut head).await;
        if head.len() > HEAD_BYTES || !matches!(read, Ok(1..)) {
            return Err(ServiceError::NoAnswer);
        }
    }
}

/// Hands git what the client sends, to its end.
async fn feed<S, E>(mut stdin: ChildStdin, input: S, limits: Limits) -> Result<(), &'static str>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
{
    let mut input = std::pin::pin!(input);
    let mut left = limits.bytes;
    loop {
        let next = tokio::time::timeout(limits.idle, input.next()).await;
        let piece = match next.map_err(|_| "it sent nothing for too long")? {
            None => return Ok(()),
            Some(Ok(piece)) => piece,
            Some(Err(_)) => return Err("its connection broke"),
        };
        left = left.checked_sub(piece.len() as u64).ok_or("it sent more than it may")?;
        // Git has heard enough: it says why by itself. What is still sent is taken, or the client
        // would never read the answer.
        if stdin.write_all(&piece).await.is_err() {
            drop(stdin);
            while let Ok(Some(Ok(_))) = tokio::time::timeout(limits.idle, input.next()).await {}
            return Ok(());
        }
    }
}

/// Sees to git's end.
async fn watch<K>(mut child: Child, gone: CancellationToken, kept: K) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let signal = |signal| {
        if let Some(group) = group {
            // Gone already is as good.
            let _ = kill_process_group(group, signal);
        }
    };
    tokio::select! {
        _ = child.wait() => {}
        () = gone.cancelled() => {
            if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                signal(Signal::TERM);
                let _ = tokio::time::timeout(LAST_CALL, child.wait()).await;
                signal(Signal::KILL);
                let _ = tokio::time::timeout(TIDY_UP, child.wait()).await;
                warn!("git went on after its client was gone, and was ended");
            }
        }
    }
    drop(kept);
}

/// Status and headers, as CGI has them.
fn read_head(text: &str) -> (u16, Vec<(String, String)>) {
    let mut status = 200;
    let mut headers = Vec::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "status" {
            status = value.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(502);
        } else {
            headers.push((name, value.to_owned()));
        }
    }
    (status, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_status_and_headers() {
        let (status, headers) = read_head("Expires: 0\r\nContent-Type: text/plain\r\n\r\n");
        assert_eq!(
            (status, headers[1].0.as_str(), headers[1].1.as_str()),
            (200, "content-type", "text/plain")
        );
        assert_eq!(read_head("Status: 403 Forbidden\r\n\r\n").0, 403);
    }
}

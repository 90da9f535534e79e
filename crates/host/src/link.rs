//! Lines of JSON over a socket, whichever kind it is.
//!
//! Whoever holds a [`Reader`] and a [`Writer`] speaks in whole messages: a message is one line, a
//! line is bounded, and sending has a deadline, so that a peer which stopped reading cannot hold
//! up the one who writes.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toehold_core::wire::MAX_MESSAGE_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// The longest a message may take to be sent.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest somebody who was asked may take to answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection over a network may carry nothing before the other side is asked whether it
/// is still there; how often it is asked, and how often in vain before the connection is given up.
const IDLE: Duration = Duration::from_secs(5);
const ASK_EVERY: Duration = Duration::from_secs(3);
const ASK_TIMES: u32 = 3;

/// The longest path the kernel takes for a Unix socket, in bytes (`sun_path` without its NUL).
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// A buffer above this is given back once its message was read, so that one large message does not
/// cost memory for ever.
const KEPT_BUFFER_BYTES: usize = 64 * 1024;

/// What went wrong on a link. After any of these the link is to be dropped and dialled again.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The path does not fit into a Unix socket's address.
    #[error(
        "{path} is too long for a socket ({length} bytes, at most {MAX_SOCKET_PATH_BYTES}): choose a shorter state folder with --dir"
    )]
    PathTooLong {
        /// Where the socket should be.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// Something that is not a socket lies where the socket should be.
    #[error("{path} is there and is not a socket: move it away")]
    NotASocket {
        /// Where the socket should be.
        path: PathBuf,
    },
    /// The socket could not be made.
    #[error("cannot listen on {path}")]
    Listen {
        /// Where the socket should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot reach {path}: is the process that listens there running?")]
    Dial {
        /// Where the socket should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The other side closed the link in the middle of a message.
    #[error("the link was closed in the middle of a message")]
    Cut,
    /// A message is longer than is taken: than so many bytes.
    #[error("a message has more than {0} bytes")]
    TooLong(usize),
    /// A line is not a message of the expected kind.
    #[error("a message could not be read, or written, as JSON")]
    Garbled(#[source] serde_json::Error),
    /// The other side does not read.
    #[error("a message could not be sent within {} s", SEND_TIMEOUT.as_secs())]
    Stuck,
    /// An earlier message was sent only in part.
    #[error("the link broke at an earlier message")]
    Broken,
    /// The socket failed.
    #[error("the link failed")]
    Io(#[source] io::Error),
}

/// Where bytes come from: a Unix socket, or TLS over TCP.
type Source = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// Where bytes go to.
type Sink = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// The half that receives messages of type `I`.
pub struct Reader<I> {
    half: Source,
    buffer: Vec<u8>,
    /// How much of `buffer` was looked through for a line feed already.
    seen: usize,
    /// The longest message that is taken, in bytes.
    limit: usize,
    kind: PhantomData<fn() -> I>,
}

/// The half that sends messages of type `O`.
pub struct Writer<O> {
    half: Sink,
    broken: bool,
    kind: PhantomData<fn(O)>,
}

/// Both halves of a link over `stream`.
#[must_use]
pub fn split<I: DeserializeOwned, O: Serialize>(
    stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
) -> (Reader<I>, Writer<O>) {
    let (read, write) = tokio::io::split(stream);
    (
        Reader {
            half: Box::new(read),
            buffer: Vec::new(),
            seen: 0,
            limit: MAX_MESSAGE_BYTES,
            kind: PhantomData,
        },
        Writer { half: Box::new(write), broken: false, kind: PhantomData },
    )
}

impl<I: DeserializeOwned> Reader<I> {
    /// The next message; `None` once the other side has closed the link. Cancel-safe: what was
    /// read of a message stays until the rest comes.
    pub async fn next(&mut self) -> Result<Option<I>, LinkError> {
        loop {
            if let Some(at) = self.buffer[self.seen..].iter().position(|&b| b == b'\n') {
                return self.take(self.seen + at).map(Some);
            }
            self.seen = self.buffer.len();
            if self.seen > self.limit {
                return Err(LinkError::TooLong(self.limit));
            }
            let count = self.half.read_buf(&mut self.buffer).await.map_err(LinkError::Io)?;
            if count == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(LinkError::Cut) };
            }
        }
    }

    /// The same half, of which messages of another type are expected from here on, as long as the
    /// wire allows.
    #[must_use]
    pub fn expecting<J>(self) -> Reader<J> {
        let Self { half, buffer, seen, limit: _, kind: _ } = self;
        Reader { half, buffer, seen, limit: MAX_MESSAGE_BYTES, kind: PhantomData }
    }

    /// The same half, of which no longer messages are taken: from somebody who is not known yet.
    #[must_use]
    pub fn at_most(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// What comes after the last message, as bytes.
    #[must_use]
    pub fn into_bytes(self) -> impl AsyncRead + Send + Sync + Unpin {
        std::io::Cursor::new(self.buffer).chain(self.half)
    }

    fn take(&mut self, end: usize) -> Result<I, LinkError> {
        if end > self.limit {
            return Err(LinkError::TooLong(self.limit));
        }
        let message = serde_json::from_slice(&self.buffer[..end]).map_err(LinkError::Garbled);
        self.buffer.drain(..=end);
        self.seen = 0;
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        }
        message
    }
}

impl<O: Serialize> Writer<O> {
    /// The same half, by which messages of another type are sent from here on.
    #[must_use]
    pub fn saying<P>(self) -> Writer<P> {
        let Self { half, broken, kind: _ } = self;
        Writer { half, broken, kind: PhantomData }
    }

    /// The half itself, for bytes that follow the last message.
    #[must_use]
    pub fn into_bytes(self) -> impl AsyncWrite + Send + Sync + Unpin {
        self.half
    }

    /// Sends one message, within 5 s. A message that was sent only in part, by an error or because
    /// the caller stopped waiting, breaks the link: later calls answer [`LinkError::Broken`].
    pub async fn send(&mut self, message: &O) -> Result<(), LinkError> {
        if self.broken {
            return Err(LinkError::Broken);
        }
        let mut line = serde_json::to_vec(message).map_err(LinkError::Garbled)?;
        if line.len() > MAX_MESSAGE_BYTES {
            return Err(LinkError::TooLong(MAX_MESSAGE_BYTES));
        }
        line.push(b'\n');
        self.broken = true;
        let half = &mut self.half;
        // TLS keeps what was written until it is flushed.
        let sent = async {
            half.write_all(&line).await?;
            half.flush().await
        };
        match tokio::time::timeout(SEND_TIMEOUT, sent).await {
            Ok(Ok(())) => {
                self.broken = false;
                Ok(())
            }
            Ok(Err(source)) => Err(LinkError::Io(source)),
            Err(_) => Err(LinkError::Stuck),
        }
    }
}

/// Connects to the socket at `path`, waiting at most `timeout`.
pub async fn dial(path: &Path, timeout: Duration) -> Result<UnixStream, LinkError> {
    fits(path)?;
    let failed = |source| LinkError::Dial { path: path.to_owned(), source };
    match tokio::time::timeout(timeout, UnixStream::connect(path)).await {
        Ok(connected) => connected.map_err(failed),
        Err(_) => Err(failed(io::Error::from(io::ErrorKind::TimedOut))),
    }
}

/// Lets a connection over a network end when the other side is gone without a word: a machine that
/// lost its power, a cable that was pulled.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt::{
        set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
        set_tcp_user_timeout,
    };
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, IDLE)?;
    set_tcp_keepintvl(stream, ASK_EVERY)?;
    set_tcp_keepcnt(stream, ASK_TIMES)?;
    let gone = IDLE + ASK_EVERY * ASK_TIMES;
    set_tcp_user_timeout(stream, u32::try_from(gone.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// Listens on a socket at `path` that only its owner may use. A socket that lies there is taken to
/// be left over from a process that died, and removed: hold the folder's
/// [`FolderLock`](crate::lock::FolderLock) before calling this.
pub fn listen(path: &Path) -> Result<UnixListener, LinkError> {
    fits(path)?;
    let failed = |source| LinkError::Listen { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(LinkError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

fn fits(path: &Path) -> Result<(), LinkError> {
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH_BYTES {
        return Err(LinkError::PathTooLong { path: path.to_owned(), length });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! A socket to an instance that can be looked at while hyper holds it, and that notices when its
//! machine is cut off.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The longest another machine may leave unacknowledged what was sent to it: its kernel does so at
/// once, however slow its instances are, so one that does not is gone or cut off.
const UNACKNOWLEDGED: Duration = Duration::from_secs(2);

/// How long a connection is silent before the other machine is asked whether it is still there.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// How long until it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// hyper's side of the socket. One thread uses both sides, so the lock is never waited for; it is
/// there because hyper wants a socket that could be sent to another thread.
#[derive(Debug)]
pub(super) struct Socket(Arc<Mutex<TcpStream>>);

/// The other side: it only looks.
#[derive(Debug)]
pub(super) struct Lookout(Arc<Mutex<TcpStream>>);

/// Both sides of a socket.
pub(super) fn both(stream: TcpStream) -> (Socket, Lookout) {
    let stream = Arc::new(Mutex::new(stream));
    (Socket(stream.clone()), Lookout(stream))
}

/// Lets the connection break once the other machine acknowledges nothing any more, whether something
/// was sent to it or an answer is waited for. On this machine nothing is ever lost.
pub(super) fn watch(stream: &TcpStream) -> io::Result<()> {
    if stream.peer_addr()?.ip().is_loopback() {
        return Ok(());
    }
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    let asks = TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_AGAIN);
    socket.set_tcp_keepalive(&asks)
}

impl Lookout {
    /// Whether the instance has said nothing on the idle connection: no end, no reset, no bytes.
    /// Asks the kernel, which may know more than the last event told.
    pub(super) fn is_quiet(&self) -> bool {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&*stream).peek(&mut byte) {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

impl Socket {
    fn stream(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(cx)
    }
}

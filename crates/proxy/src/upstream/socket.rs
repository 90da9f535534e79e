//! A socket to an instance that can be looked at while hyper holds it.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

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

//! A socket, read and written only when it is ready, and bytes that one does not take yet.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::stream::Stream;

/// The most room that is kept for bytes that wait, once they are gone.
const KEPT_BYTES: usize = 16 * 1024;

/// The most that is read at once of what is for a stream of HTTP/2.
const STREAM_BYTES: usize = 16 * 1024;

/// One end of a connection.
#[derive(Debug)]
pub(crate) enum Socket {
    /// As it is.
    Plain(TcpStream),
    /// Behind TLS.
    Tls(Box<TlsStream<TcpStream>>),
    /// A stream of HTTP/2, behind TLS.
    Stream(Box<Stream>),
}

impl Socket {
    pub(crate) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(stream))
    }

    /// Whether nobody on the way can read it.
    pub(crate) const fn is_tls(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// Whether it is a stream of HTTP/2.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// As much of this room as is read at once for whoever is at the other end: a visitor may have
    /// many streams that take nothing in.
    pub(crate) fn room_for<'s>(&self, space: &'s mut [u8]) -> &'s mut [u8] {
        let most = if self.is_stream() { space.len().min(STREAM_BYTES) } else { space.len() };
        &mut space[..most]
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.get_ref().0),
            Self::Stream(_) => None,
        }
    }

    /// Reads what is there; 0: nothing will come any more.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(space);
        ready!(match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buf),
            Self::Stream(stream) => return stream.poll_read(cx, buf.initialize_unfilled()),
        })?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Writes what there is room for.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Stream(stream) => stream.poll_write(cx, bytes),
        }
    }

    /// Writes what there is room for of two pieces, the second behind the first.
    fn poll_write_both(
        &mut self,
        cx: &mut Context<'_>,
        [first, second]: [&[u8]; 2],
    ) -> Poll<io::Result<usize>> {
        if second.is_empty() {
            return self.poll_write(cx, first);
        }
        if first.is_empty() {
            return self.poll_write(cx, second);
        }
        let both = [IoSlice::new(first), IoSlice::new(second)];
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, &both),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, &both),
            Self::Stream(stream) => stream.poll_write(cx, first),
        }
    }

    /// Whether something that was written has not left yet: TLS writes in records of its own.
    pub(crate) fn holds_back(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Stream(_) => false,
            Self::Tls(stream) => stream.get_ref().1.wants_write(),
        }
    }

    /// Lets what was written leave.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) | Self::Stream(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Stream(stream) => Poll::Ready(stream.ends()),
        }
    }

    /// It will not end as if all had been said: the other side sees it break off.
    pub(crate) fn reset_at_end(&self) {
        // A stream of which not all was said breaks off as it is dropped.
        if let Some(tcp) = self.tcp() {
            // Where the other side is gone already there is nobody to tell.
            let _ = tcp.set_zero_linger();
        }
    }

    /// Whether nothing was heard on it as far as is known here: no end, no reset, no bytes. What the
    /// kernel has heard since this thread last asked for news, which it does each millisecond when
    /// it is busy, is not known yet.
    pub(crate) fn is_quiet(&self) -> bool {
        // To ask whether it is ready would say no as well where this task has had its share of a
        // turn. What is read here is read by nobody else: who is not quiet is not used again.
        let silent = |read: io::Result<usize>| {
            read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.tcp().is_some_and(|tcp| silent(tcp.try_read(&mut [0])))
    }
}

/// Bytes that were said and that a socket did not take yet.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Whether nothing waits, neither here nor in the socket.
    pub(crate) fn is_empty(&self, socket: &Socket) -> bool {
        self.bytes.is_empty() && !socket.holds_back()
    }

    /// Sends two pieces, the second behind the first. What the socket does not take waits here.
    pub(crate) fn send(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
        [first, second]: [&[u8]; 2],
    ) -> io::Result<()> {
        let mut sent = 0;
        while self.bytes.is_empty() && sent < first.len() + second.len() {
            let rest = [first.get(sent..).unwrap_or_default(), behind(second, first.len(), sent)];
            match socket.poll_write_both(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(wrote) => sent += wrote?,
                Poll::Pending => break,
            }
        }
        self.bytes.extend_from_slice(first.get(sent..).unwrap_or_default());
        self.bytes.extend_from_slice(behind(second, first.len(), sent));
        Ok(())
    }

    /// Sends what waits.
    pub(crate) fn poll_flush(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            match ready!(socket.poll_write(cx, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                wrote => self.sent += wrote,
            }
        }
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        socket.poll_flush(cx)
    }

    /// How much of what waits was taken since it waits: it grows while the other side reads.
    pub(crate) const fn taken(&self) -> usize {
        self.sent
    }

    /// Gives back the room.
    pub(crate) fn free(&mut self) {
        *self = Self::default();
    }
}

/// What is left of a second piece once so many bytes of both were sent.
fn behind(second: &[u8], first: usize, sent: usize) -> &[u8] {
    second.get(sent.saturating_sub(first)..).unwrap_or_default()
}

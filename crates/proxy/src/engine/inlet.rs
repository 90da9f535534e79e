//! A visitor's socket behind the gate: the engine reads only what was let in.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::gate::{Gate, Refusal};
use crate::visit::{Order, Pulse};

/// Given to the engine in the place of a request that was not let in, so that the refusal is
/// answered in its turn, behind the answers to the requests before it.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

/// The most bytes that are read and thrown away so that a visitor who is still sending gets to
/// read the answer before it learns that nobody listens.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// A visitor's socket behind the gate.
pub(crate) struct Inlet {
    stream: TcpStream,
    gate: Gate,
    pulse: Arc<Pulse>,
    /// Bytes that were read and not given to the engine.
    held: BytesMut,
    /// How many of them may be.
    ready: usize,
    /// The gate should look at what is held though nothing new came.
    look_again: bool,
    /// Nothing more is let in.
    closed: bool,
    lingered: Option<usize>,
    /// The connections of this thread.
    count: Arc<AtomicUsize>,
}

impl Inlet {
    pub(super) fn new(
        stream: TcpStream,
        gate: Gate,
        pulse: Arc<Pulse>,
        count: Arc<AtomicUsize>,
    ) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self {
            stream,
            gate,
            pulse,
            held: BytesMut::new(),
            ready: 0,
            look_again: false,
            closed: false,
            lingered: None,
            count,
        }
    }

    /// Nothing more is let in; the engine gets the stand-in.
    fn refuse(&mut self, refusal: Refusal) -> io::Result<()> {
        if self.gate.in_body() {
            // The engine is in the middle of a request: its body breaks off.
            self.closed = true;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the body is not well-formed"));
        }
        self.pulse.refuse(self.gate.heads(), refusal);
        self.pulse.set_head_open(false);
        self.closed = true;
        self.held.clear();
        self.held.extend_from_slice(STAND_IN);
        self.ready = STAND_IN.len();
        Ok(())
    }

    /// Reads where nothing is held: straight into the engine's buffer.
    fn poll_straight(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let passed = match self.gate.look(fresh) {
            Ok(pass) => pass.bytes,
            Err(refusal) => {
                buf.set_filled(before);
                self.refuse(refusal)?;
                return Poll::Ready(Ok(false));
            }
        };
        self.held.extend_from_slice(&fresh[passed..]);
        self.look_again = self.gate.will_refuse();
        buf.set_filled(before + passed);
        Poll::Ready(Ok(passed > 0))
    }

    /// Reads behind what is held. The answer is whether the visitor's side has ended.
    fn poll_behind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; 4096];
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        self.held.extend_from_slice(buf.filled());
        self.look_again = true;
        Poll::Ready(Ok(buf.filled().is_empty()))
    }

    /// Notes for the watch how things stand after a read.
    fn note(&self, pending: bool) {
        if !pending {
            self.pulse.moved();
        }
        self.pulse.set_body_wanted(pending && self.gate.in_body());
        self.pulse.set_head_open(self.gate.in_head() && self.held.len() > self.ready);
    }
}

impl AsyncRead for Inlet {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.ready > 0 {
                let here = this.ready.min(buf.remaining());
                buf.put_slice(&this.held[..here]);
                this.held.advance(here);
                this.ready -= here;
                return Poll::Ready(Ok(()));
            }
            match this.pulse.take_order() {
                Order::None => {}
                Order::RefuseHead => {
                    this.refuse(Refusal::HeadTooSlow)?;
                    continue;
                }
                Order::BreakBody => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            }
            if this.closed {
                // Nothing comes any more, but the end of the input would be taken for a visitor
                // who went away before the answer.
                return Poll::Pending;
            }
            if this.gate.is_undecided() {
                // It is about the last head that was let in.
                match this.pulse.upgrade(this.gate.heads() - 1) {
                    None if !this.held.is_empty() => return Poll::Pending,
                    None => {
                        // Reading shows whether the visitor is still there.
                        return match ready!(this.poll_behind(cx)) {
                            Ok(false) => continue,
                            ended_or_wrong => Poll::Ready(ended_or_wrong.map(|_| ())),
                        };
                    }
                    Some(agreed) => {
                        this.gate.decide(agreed);
                        this.look_again = true;
                    }
                }
            }
            if std::mem::take(&mut this.look_again) && !this.held.is_empty() {
                match this.gate.look(&this.held) {
                    Ok(pass) => {
                        this.ready = pass.bytes;
                        this.look_again = this.gate.will_refuse();
                    }
                    Err(refusal) => this.refuse(refusal)?,
                }
                this.note(false);
                continue;
            }
            let read = if this.held.is_empty() {
                this.poll_straight(cx, buf)
            } else {
                this.poll_behind(cx)
            };
            this.note(read.is_pending());
            if ready!(read)? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Inlet {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says that nothing more comes; then, where the visitor was still sending, reads on for a
    /// moment: a socket closed with unread input is reset, and takes the answer with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut lingered = if let Some(lingered) = this.lingered {
            lingered
        } else {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.closed && !this.gate.in_body() && this.held.is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.pulse.set_lingers();
            0
        };
        let mut space = [0; 16 * 1024];
        while lingered < LINGER_BYTES {
            this.lingered = Some(lingered);
            let mut buf = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                break;
            }
            lingered += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}

impl Inlet {
    fn wrote(&self, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.pulse.set_write_blocked(wrote.is_pending());
        if wrote.is_ready() {
            self.pulse.moved();
        }
        wrote
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        if self.pulse.is_reset_at_end() {
            // An answer that was cut must not look like one that ended.
            let _ = self.stream.set_zero_linger();
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

//! An answer written as HTTP/1.1, taken apart into what HTTP/2 sends.

use std::io;
use std::task::{Context, Poll, ready};

use ::h2::SendStream;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use memchr::{memchr, memmem};
use toehold_http::{Body, Framing, Name};

use crate::headers::REQUEST_ID;
use crate::stream::Respond;

/// The most content that is sent at once.
const MOST_BYTES: usize = 64 * 1024;

/// How many bytes are looked at to see whether an answer goes on with content.
const FRAMING_BYTES: usize = 32;

/// The fields that an answer has room for at first.
const USUAL_FIELDS: usize = 8;

/// An answer that is being sent.
#[derive(Debug)]
pub(super) struct Said {
    to: To,
    to_head: bool,
}

#[derive(Debug)]
enum To {
    /// The head is still to come.
    Head(Respond),
    Body(Sending),
}

/// A body.
#[derive(Debug)]
struct Sending {
    to: SendStream<Bytes>,
    /// What is left of it.
    body: Body,
    /// Fields behind its last chunk, as far as they came.
    trailer: Vec<u8>,
}

impl Said {
    pub(super) const fn new(respond: Respond, to_head: bool) -> Self {
        Self { to: To::Head(respond), to_head }
    }

    /// Whether all was said.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(&self.to, To::Body(Sending { body: Body::Ended, .. }))
    }

    /// Sends what there is room for: a head at once, a body as the visitor takes it.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.to {
            To::Head(_) => Poll::Ready(self.head(bytes)),
            To::Body(sending) => sending.poll_write(cx, bytes),
        }
    }

    /// Sends the head at the beginning of `bytes`; the engine writes each in one piece.
    fn head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let To::Head(respond) = &mut self.to else { return Ok(0) };
        let head = Head::read(bytes).ok_or_else(|| wrong("the head"))?;
        let (end, status) = (head.bytes, head.response.status());
        if status.is_informational() {
            respond.send_informational(head.response).map_err(io::Error::other)?;
            return Ok(end);
        }
        let body = head.body(self.to_head);
        let to = respond.send_response(head.response, body.has_ended());
        let to = to.map_err(io::Error::other)?;
        self.to = To::Body(Sending { to, body, trailer: Vec::new() });
        Ok(end)
    }

    /// Nothing more is said: an answer that ends where its connection does has ended. An error: it is
    /// no whole one. Dropped as it is, it breaks off, and the visitor sees that.
    pub(super) fn ends(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Body(sending) if sending.body.has_ended() => Ok(()),
            To::Body(sending @ Sending { body: Body::UntilClose, .. }) => {
                sending.body = Body::Ended;
                sending.to.send_data(Bytes::new(), true).map_err(io::Error::other)
            }
            To::Head(_) | To::Body(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Ready when the visitor wants to hear no more.
    pub(super) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.to {
            To::Head(respond) => respond.poll_reset(cx).map(drop),
            To::Body(sending) => sending.to.poll_reset(cx).map(drop),
        }
    }
}

impl Sending {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = match self.poll_room(cx, bytes.len().min(MOST_BYTES)) {
            Poll::Ready(room) => room?,
            Poll::Pending => match self.framing(bytes) {
                0 => return Poll::Pending,
                count => count,
            },
        };
        let bytes = &bytes[..bytes.len().min(room)];
        let mut content = Vec::new();
        let taken = self.body.each(bytes, |piece| {
            // What is exactly as large as it must be is sent without another copy.
            if content.is_empty() {
                content.reserve_exact(piece.len());
            }
            content.extend_from_slice(piece);
        });
        let taken = taken.map_err(|_| wrong("the body"))?;
        self.trailer.extend_from_slice(&bytes[taken.trailer]);
        let ended = self.body.has_ended();
        let fields = if ended { trailers(&self.trailer) } else { HeaderMap::new() };
        let is_last = ended && fields.is_empty();
        if !content.is_empty() || is_last {
            self.to.send_data(content.into(), is_last).map_err(io::Error::other)?;
        }
        if !fields.is_empty() {
            self.to.send_trailers(fields).map_err(io::Error::other)?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Ready when the visitor has room for some of what is `wanted`.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.to.reserve_capacity(wanted);
        loop {
            let room = self.to.capacity();
            if room > 0 {
                return Poll::Ready(Ok(room));
            }
            match ready!(self.to.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    /// How many bytes at the beginning are no content: sizes and ends of chunks need no room at the
    /// visitor's. Only as many are looked at as such a line usually has, since this is asked each time
    /// the visitor makes a little room.
    fn framing(&self, bytes: &[u8]) -> usize {
        let first = &bytes[..bytes.len().min(FRAMING_BYTES)];
        let taken = self.body.clone().take(first);
        if taken.is_ok_and(|taken| taken.content == 0) { first.len() } else { 0 }
    }
}

/// A head as the engine wrote it.
struct Head {
    /// So many bytes.
    bytes: usize,
    /// Without what is about a connection of HTTP/1.1.
    response: Response<()>,
    framing: Framing,
}

impl Head {
    /// Reads the head at the beginning of `bytes`. The engine wrote it, so each field is a name, a
    /// colon, a space and the rest of a line; its values become parts of one copy. `None`: there is
    /// something else.
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = memmem::find(bytes, b"\r\n\r\n")? + 2;
        let head = Bytes::copy_from_slice(&bytes[..end]);
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_bytes(head.get(9..12)?).ok()?;
        let (fields, mut framing) = (response.headers_mut(), Framing::UntilClose);
        fields.reserve(USUAL_FIELDS);
        let mut begin = memchr(b'\n', &head)? + 1;
        while begin < end {
            let line = memchr(b'\r', &head[begin..])?;
            let colon = memchr(b':', &head[begin..begin + line])?;
            let name = &head[begin..begin + colon];
            let value = head.slice(begin + (colon + 2).min(line)..begin + line);
            begin += line + 2;
            match Name::of(name) {
                Name::Connection | Name::KeepAlive | Name::Upgrade => continue,
                Name::TransferEncoding => {
                    framing = Framing::Chunked;
                    continue;
                }
                Name::ContentLength => {
                    framing = Framing::Length(std::str::from_utf8(&value).ok()?.parse().ok()?);
                }
                _ => {}
            }
            append(fields, name, value);
        }
        Some(Self { bytes: end + 2, response, framing })
    }

    /// What is behind it; `to_head`: it answers a `HEAD`.
    fn body(&self, to_head: bool) -> Body {
        let bodiless = matches!(self.response.status().as_u16(), 204 | 304);
        if to_head || bodiless { Body::Ended } else { Body::new(self.framing) }
    }
}

/// Fields behind a body, a line each.
fn trailers(text: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let value = Bytes::copy_from_slice(line[colon + 1..].trim_ascii());
        match Name::of(&line[..colon]) {
            // They would be refused, and the answer with them (RFC 9113, 8.2.2).
            Name::Connection
            | Name::KeepAlive
            | Name::Te
            | Name::TransferEncoding
            | Name::Upgrade
            | Name::HopByHop => {}
            _ => append(&mut map, &line[..colon], value),
        }
    }
    map
}

/// What the engine wrote can be said again; what cannot is left out.
fn append(map: &mut HeaderMap, name: &[u8], value: Bytes) {
    let value = HeaderValue::from_maybe_shared(value);
    if let (Ok(name), Ok(mut value)) = (HeaderName::from_bytes(name), value) {
        // Each is another one: in the table of what was said before it would only be in the way.
        value.set_sensitive(name == REQUEST_ID);
        map.append(name, value);
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of an answer cannot be said"))
}

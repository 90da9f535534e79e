//! An answer written as HTTP/1.1, taken apart into what HTTP/2 sends.

use std::io;
use std::task::Poll;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use toehold_http::{Answer, Body, Name, fields};

/// The most content that waits to be sent. While there is more the engine waits, and reads nothing
/// more from the instance.
const MOST_BYTES: usize = 64 * 1024;

/// The most content that is handed over at once: a visitor takes it in, or is held to do nothing.
const PIECE_BYTES: usize = 16 * 1024;

/// What was said and not sent yet.
#[derive(Debug)]
pub(crate) struct Said {
    /// The request came to its end.
    pub(super) heard: bool,
    to_head: bool,
    given_up: Option<By>,
    /// What came of the head, until it is whole.
    partial: Vec<u8>,
    head: Option<Response<()>>,
    /// What is still to come of the body; `None` before the head is whole.
    body: Option<Body>,
    content: Vec<u8>,
    /// What came before that and is being handed over.
    going: Bytes,
    trailer: Vec<u8>,
}

/// By whom an exchange was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Engine,
    Visitor,
}

/// What is to be sent next of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    Content(Bytes),
    /// Fields behind it.
    Trailers(HeaderMap),
    /// Nothing more comes.
    End,
}

impl Said {
    pub(super) fn new(to_head: bool) -> Self {
        Self {
            heard: false,
            to_head,
            given_up: None,
            partial: Vec::new(),
            head: None,
            body: None,
            content: Vec::new(),
            going: Bytes::new(),
            trailer: Vec::new(),
        }
    }

    /// Takes what was written, as far as there is room.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.has_left() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.body.is_some() {
            if self.going.len() + self.content.len() >= MOST_BYTES {
                return Poll::Pending;
            }
            return Poll::Ready(self.take_body(bytes).map(|()| bytes.len()));
        }
        self.partial.extend_from_slice(bytes);
        let came = Bytes::from(std::mem::take(&mut self.partial));
        Poll::Ready(self.take_head(&came).map(|()| bytes.len()))
    }

    /// The values of the head are parts of `came`, not copies.
    fn take_head(&mut self, came: &Bytes) -> io::Result<()> {
        let mut from = 0;
        loop {
            let mut room = fields();
            let read = Answer::read(&came[from..], &mut room);
            let Some((answer, end)) = read.map_err(|_| wrong("the head"))? else {
                self.partial = came[from..].to_vec();
                return Ok(());
            };
            from += end;
            // HTTP/2 has those before the answer proper, too, but the library cannot say them.
            if !answer.is_interim() {
                self.head = Some(head(&answer, came)?);
                self.body = Some(answer.body(self.to_head));
                return self.take_body(&came[from..]);
            }
        }
    }

    fn take_body(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (Some(body), content) = (&mut self.body, &mut self.content) else { return Ok(()) };
        let taken = body.each(bytes, |piece| {
            // What is exactly as large as it must be is sent without another copy.
            if content.is_empty() {
                content.reserve_exact(piece.len());
            }
            content.extend_from_slice(piece);
        });
        let taken = taken.map_err(|_| wrong("the body"))?;
        self.trailer.extend_from_slice(&bytes[taken.trailer]);
        Ok(())
    }

    /// The head, once.
    pub(crate) fn head(&mut self) -> Option<Response<()>> {
        self.head.take()
    }

    /// What is to be sent next; `None`: nothing yet.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        if self.going.is_empty() {
            self.going = std::mem::take(&mut self.content).into();
        }
        if !self.going.is_empty() {
            let most = self.going.len().min(PIECE_BYTES);
            return Some(Piece::Content(self.going.split_to(most)));
        }
        if !self.body.as_ref()?.has_ended() {
            return None;
        }
        let trailers = trailers(&std::mem::take(&mut self.trailer));
        Some(if trailers.is_empty() { Piece::End } else { Piece::Trailers(trailers) })
    }

    /// The engine is through: where only that ends the answer, it has, unless it was given up.
    pub(crate) fn ends(&mut self) {
        if let Some(body @ Body::UntilClose) = &mut self.body
            && self.given_up.is_none()
        {
            *body = Body::Ended;
        }
    }

    /// The visitor went away: whoever reads or writes hears of it.
    pub(crate) const fn leaves(&mut self) {
        self.given_up = Some(By::Visitor);
    }

    pub(super) fn has_left(&self) -> bool {
        self.given_up == Some(By::Visitor)
    }

    /// The engine goes away, and not everything was said: the end is none.
    pub(super) const fn breaks_off(&mut self) {
        self.given_up = Some(By::Engine);
    }

    /// Whether the request came to its end. One that is answered before it has goes on being read for
    /// a moment: many visitors do not look at an answer while they are sending.
    pub(crate) const fn is_heard(&self) -> bool {
        self.heard
    }

    /// Whether nothing more is to be sent.
    pub(crate) fn is_over(&self) -> bool {
        let ended = self.body.as_ref().is_some_and(Body::has_ended);
        let empty = self.content.is_empty() && self.going.is_empty();
        self.heard && ended && empty && self.trailer.is_empty()
    }
}

/// The head, without what is about a connection of HTTP/1.1.
fn head(answer: &Answer<'_, '_>, came: &Bytes) -> io::Result<Response<()>> {
    let mut response = Response::new(());
    response.headers_mut().reserve(answer.fields.len());
    *response.status_mut() =
        StatusCode::from_u16(answer.status).map_err(|_| wrong("the status"))?;
    for field in answer.fields {
        if !matches!(
            Name::of(field.name),
            Name::Connection | Name::KeepAlive | Name::TransferEncoding | Name::Upgrade
        ) {
            append(response.headers_mut(), field.name.as_bytes(), came.slice_ref(field.value));
        }
    }
    Ok(response)
}

/// Fields behind a body, a line each.
fn trailers(text: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split(|&b| b == b'\n') {
        if let Some(colon) = line.iter().position(|&b| b == b':') {
            let value = Bytes::copy_from_slice(line[colon + 1..].trim_ascii());
            append(&mut map, &line[..colon], value);
        }
    }
    map
}

/// What the engine wrote can be said again; what cannot is left out.
fn append(map: &mut HeaderMap, name: &[u8], value: Bytes) {
    let value = HeaderValue::from_maybe_shared(value);
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
        map.append(name, value);
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of an answer cannot be said"))
}

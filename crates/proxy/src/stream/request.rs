//! A request of HTTP/2, written as one of HTTP/1.1.

use std::io::{self, Cursor, Write};
use std::task::{Context, Poll, ready};

use ::h2::RecvStream;
use bytes::{Buf, Bytes};
use hyper::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request};

/// The most bytes that the framing of a chunk takes: 16 digits and two ends of lines.
const FRAMING_BYTES: usize = 20;

/// A request that is read as HTTP/1.1.
#[derive(Debug)]
pub(super) struct Asked {
    /// Bytes that are read before anything else.
    first: Cursor<Vec<u8>>,
    coming: RecvStream,
    /// Content that came and was not read yet.
    content: Bytes,
    /// It goes in chunks: nobody said how long it is.
    chunked: bool,
    ended: bool,
}

impl Asked {
    pub(super) fn new(request: Request<RecvStream>) -> Self {
        let (parts, coming) = request.into_parts();
        let ended = coming.is_end_stream();
        let chunked = !ended && !parts.headers.contains_key(CONTENT_LENGTH);
        let first = Cursor::new(head(&parts, chunked));
        Self { first, coming, content: Bytes::new(), chunked, ended }
    }

    /// Reads what is there; `None`: nothing more comes.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        space: &mut [u8],
    ) -> Option<Poll<io::Result<usize>>> {
        if !self.first.has_remaining() && self.content.is_empty() && !self.ended {
            match self.poll_content(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Some(Poll::Ready(Err(error))),
                Poll::Pending => return Some(Poll::Pending),
            }
        }
        if self.first.has_remaining() {
            let count = self.first.remaining().min(space.len());
            self.first.copy_to_slice(&mut space[..count]);
            return Some(Poll::Ready(Ok(count)));
        }
        if self.content.is_empty() {
            return None;
        }
        Some(Poll::Ready(self.read_content(space)))
    }

    /// Ready when there is content, or none will come. Fields behind a body are dropped, as in
    /// HTTP/1.1.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.content.is_empty() {
            match ready!(self.coming.poll_data(cx)) {
                Some(Ok(content)) => self.content = content,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => {
                    self.ended = true;
                    if self.chunked {
                        self.first = Cursor::new(b"0\r\n\r\n".to_vec());
                    }
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn read_content(&mut self, mut space: &mut [u8]) -> io::Result<usize> {
        let whole = space.len();
        let most = if self.chunked { whole - FRAMING_BYTES } else { whole };
        let content = self.content.split_to(self.content.len().min(most));
        if self.chunked {
            write!(space, "{:x}\r\n", content.len())?;
        }
        space.write_all(&content)?;
        if self.chunked {
            space.write_all(b"\r\n")?;
        }
        // The visitor may send as much more. Where that cannot be said it will not come.
        let _ = self.coming.flow_control().release_capacity(content.len());
        Ok(whole - space.len())
    }
}

/// The head of a request. It is read strictly behind this, so what two readers could read in two
/// ways is refused there.
fn head(parts: &Parts, chunked: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let path = parts.uri.path_and_query().map_or("*", |path| path.as_str());
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(authority) = authority {
        line(&mut out, &HOST, authority);
    }
    for (name, value) in &parts.headers {
        // The same once more says nothing; another one makes two hosts, which are refused.
        let known = name == HOST && Some(value.as_bytes()) == authority;
        if !known && name != COOKIE {
            line(&mut out, name, value.as_bytes());
        }
    }
    cookies(&parts.headers, &mut out);
    if chunked {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"connection: close\r\n\r\n");
    out
}

/// Cookies may come in crumbs, a field each; HTTP/1.1 has one field for all (RFC 9113, 8.2.3).
fn cookies(headers: &HeaderMap, out: &mut Vec<u8>) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if !crumbs.is_empty() {
        line(out, &COOKIE, &crumbs.join(&b"; "[..]));
    }
}

fn line(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

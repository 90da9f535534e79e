//! The head of an answer.

use std::time::Duration;

use crate::body::{Body, Framing};
use crate::field::{Field, Fields, Name};
use crate::request::{Connection, is_named, length};

/// An answer that cannot be read, or whose end cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbled;

/// What an answer's head says.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'h, 'b> {
    /// 100 to 999.
    pub status: u16,
    /// `Not Found`, say; often empty.
    pub reason: &'b str,
    /// All fields, in order.
    pub fields: &'h [Field<'b>],
    /// How its body ends, where its status and what was asked for let it have one.
    pub framing: Framing,
    /// The protocol that the connection goes on in.
    pub upgrade: Option<&'b str>,
    /// The connection is for another request behind this one.
    pub keep_alive: bool,
    /// How long the other side keeps a connection that is idle, as far as it said.
    pub keep: Option<Duration>,
    /// It says when it was made.
    pub has_date: bool,
    names_fields: bool,
}

impl<'h, 'b> Answer<'h, 'b> {
    /// Reads the head at the beginning of `bytes`; with it comes how many bytes it has. `None`: it
    /// is not all there.
    pub fn read(
        bytes: &'b [u8],
        room: &'h mut Fields<'b>,
    ) -> Result<Option<(Self, usize)>, Garbled> {
        let mut read = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut read, bytes, room);
        let head_bytes = match parsed {
            Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Garbled),
        };
        let httparse::Response { version, code, reason, headers } = read;
        let (status, is_http_11) = (code.unwrap_or_default(), version == Some(1));
        let (mut said, mut is_chunked, mut connection) = (None, false, Connection::default());
        let (mut upgrade, mut keep, mut has_date) = (None, None, false);
        for field in &*headers {
            match Name::of(field.name) {
                Name::ContentLength => {
                    let length = length(field.value).ok_or(Garbled)?;
                    if said.is_some_and(|before| before != length) {
                        return Err(Garbled);
                    }
                    said = Some(length);
                }
                Name::TransferEncoding => {
                    // Another coding could not be passed on, and its end could not be known.
                    if is_chunked || !field.value.eq_ignore_ascii_case(b"chunked") || !is_http_11 {
                        return Err(Garbled);
                    }
                    is_chunked = true;
                }
                Name::Connection => connection.take(field.value),
                Name::Upgrade => upgrade = std::str::from_utf8(field.value).ok(),
                Name::KeepAlive => keep = timeout(field.value),
                Name::Date => has_date = true,
                _ => {}
            }
        }
        if status < 100 {
            return Err(Garbled);
        }
        // Where both are there the chunks count, and such a connection is not trusted further
        // (RFC 9112, 6.1). Nor is one where a body is said that cannot be: it may come all the same.
        let has_body = is_chunked || said.is_some_and(|length| length > 0);
        let doubtful = is_chunked && said.is_some() || status == 204 && has_body;
        let stays = connection.stays.unwrap_or(is_http_11);
        let framing = match (is_chunked, said) {
            (true, _) => Framing::Chunked,
            (false, Some(length)) => Framing::Length(length),
            (false, None) => Framing::UntilClose,
        };
        let answer = Self {
            status,
            reason: reason.unwrap_or_default(),
            fields: headers,
            framing,
            upgrade: upgrade.filter(|_| status == 101),
            keep_alive: stays && !doubtful,
            keep,
            has_date,
            names_fields: connection.names_fields,
        };
        Ok(Some((answer, head_bytes)))
    }

    /// Whether it is only a word before the answer proper.
    #[must_use]
    pub const fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// Whether an answer of this status never has a body.
    #[must_use]
    pub const fn is_bodiless(&self) -> bool {
        self.status < 200 || matches!(self.status, 204 | 304)
    }

    /// Its body, of which nothing is read yet; `to_head`: it answers a `HEAD` (RFC 9112, 6.3).
    #[must_use]
    pub fn body(&self, to_head: bool) -> Body {
        if to_head || self.is_bodiless() { Body::Ended } else { Body::new(self.framing) }
    }

    /// Whether `Connection` names this field as one that is about this connection only.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.names_fields && is_named(self.fields, name)
    }
}

/// `Keep-Alive: timeout=5`.
fn timeout(value: &[u8]) -> Option<Duration> {
    let said = std::str::from_utf8(value).ok()?;
    let seconds = said.split(',').find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

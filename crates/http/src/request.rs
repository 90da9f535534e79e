//! The head of a request, by RFC 9112 without its lenient parts.

use httparse::Error;

use crate::body::{Body, Framing};
use crate::field::{Field, Fields, Name, options};
use crate::head::{Refusal, Version};

/// What a request's head says.
#[derive(Clone, Copy, Debug)]
pub struct Request<'h, 'b> {
    /// `GET`, say.
    pub method: &'b str,
    /// What the path must begin with and lacks: `/`, where the target was `http://shop?a`, else
    /// nothing.
    pub slash: &'static str,
    /// The target from its path on, as it was sent.
    pub path: &'b str,
    /// The version it is in.
    pub version: Version,
    /// The host it is for, as it was said: by the target, else by `Host`. HTTP/1.0 may say none.
    pub host: Option<&'b str>,
    /// All fields, in order.
    pub fields: &'h [Field<'b>],
    /// How its body ends.
    pub framing: Framing,
    /// The protocol it asks to go on in. One that asks and has a body is an ordinary request: no
    /// protocol in use needs both.
    pub upgrade: Option<&'b str>,
    /// It waits to be told to send its body.
    pub expects_continue: bool,
    /// The connection is for another request behind this one.
    pub keep_alive: bool,
    /// `Connection` names other fields than those that are about the connection anyway.
    pub names_fields: bool,
}

impl<'h, 'b> Request<'h, 'b> {
    /// Reads a whole head, its empty line included, as [`crate::end`] found it.
    pub fn read(head: &'b [u8], room: &'h mut Fields<'b>) -> Result<Self, Refusal> {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let mut read = httparse::Request::new(&mut []);
        match read.parse_with_uninit_headers(head, room) {
            Ok(httparse::Status::Complete(bytes)) if bytes == head.len() => {}
            Ok(_) => return Err(Refusal::Malformed("the head does not end where it seems to")),
            Err(error) => return Err(refusal(error, head)),
        }
        let httparse::Request { method, path: target, version, headers } = read;
        let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
        let version = if version == Some(1) { Version::Http11 } else { Version::Http10 };
        let is_http_11 = version == Version::Http11;
        if method == "CONNECT" {
            return Err(Refusal::Method);
        }
        let target = Target::read(target, method)?;
        let mut facts = Facts::default();
        for field in &*headers {
            facts.take(field)?;
        }
        facts.judge(is_http_11, &target)?;
        let Facts { length, is_chunked, host, upgrade, expects_continue, connection } = facts;
        let framing =
            if is_chunked { Framing::Chunked } else { Framing::Length(length.unwrap_or(0)) };
        let has_body = framing != Framing::Length(0);
        let asked = is_http_11 && connection.upgrade && !has_body;
        Ok(Self {
            method,
            slash: target.slash,
            path: target.path,
            version,
            host: target.authority.map(|(host, _)| host).or(host),
            fields: headers,
            framing,
            upgrade: upgrade.filter(|_| asked),
            expects_continue: expects_continue && is_http_11 && has_body,
            keep_alive: connection.stays.unwrap_or(is_http_11),
            names_fields: connection.names_fields,
        })
    }

    /// Its body, of which nothing is read yet.
    #[must_use]
    pub fn body(&self) -> Body {
        Body::new(self.framing)
    }

    /// Whether `Connection` names this field as one that is about this connection only. What says
    /// where a message ends, and whom it is for, no list may take away.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.names_fields && is_named(self.fields, name)
    }
}

/// Whether a field is named by `Connection`.
pub(crate) fn is_named(fields: &[Field<'_>], name: &str) -> bool {
    if matches!(Name::of(name), Name::Host | Name::ContentLength) {
        return false;
    }
    fields
        .iter()
        .filter(|field| Name::of(field.name) == Name::Connection)
        .flat_map(|field| options(field.value))
        .any(|option| option.eq_ignore_ascii_case(name.as_bytes()))
}

/// What `Connection` says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connection {
    /// Whether it stays for another message, where that is said. Who says both means that it does
    /// not.
    pub(crate) stays: Option<bool>,
    pub(crate) upgrade: bool,
    pub(crate) names_fields: bool,
}

impl Connection {
    pub(crate) fn take(&mut self, value: &[u8]) {
        for option in options(value) {
            let is = |text: &[u8]| option.eq_ignore_ascii_case(text);
            match option.len() {
                0 => {}
                5 if is(b"close") => self.stays = Some(false),
                7 if is(b"upgrade") => self.upgrade = true,
                10 if is(b"keep-alive") => _ = self.stays.get_or_insert(true),
                _ => self.names_fields = true,
            }
        }
    }
}

/// The number that `Content-Length` says.
pub(crate) fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()?;
    // Above this sums of lengths could run over.
    Some(number).filter(|&number: &u64| number < 1 << 62)
}

/// What the target says.
#[derive(Clone, Copy, Debug)]
struct Target<'b> {
    slash: &'static str,
    path: &'b str,
    /// Of a target with a host in it: that host, with the port that counts where none is said.
    authority: Option<(&'b str, &'static str)>,
}

impl<'b> Target<'b> {
    fn read(target: &'b str, method: &str) -> Result<Self, Refusal> {
        if target.is_empty() || !fits(target.as_bytes()) {
            return Err(Refusal::Malformed("the target holds what must be percent-encoded"));
        }
        if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
            return Ok(Self { slash: "", path: target, authority: None });
        }
        let behind = |scheme: &str| {
            let (start, rest) = target.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let http = behind("http://").map(|rest| (rest, ":80"));
        let found = http.or_else(|| behind("https://").map(|rest| (rest, ":443")));
        let (rest, port) = found.ok_or(Refusal::Malformed("the target is not a path"))?;
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A name and a password before the host are refused, as RFC 9110 (4.2.4) wishes.
        if host.is_empty() || host.contains('@') {
            return Err(Refusal::Malformed("the target is not a path"));
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { slash, path, authority: Some((host, port)) })
    }
}

/// Whether a target holds only what a URI may hold, and what browsers send beside it. A fragment
/// never leaves a browser.
fn fits(target: &[u8]) -> bool {
    const NEVER: u8 = 1;
    const BEFORE_QUERY: u8 = 2;
    const KIND: [u8; 256] = {
        let mut kind = [NEVER; 256];
        let mut byte: u8 = 0x21;
        while byte < 0x7f {
            kind[byte as usize] = match byte {
                b'#' | b'<' | b'>' | b'"' => NEVER,
                b'\\' | b'`' => BEFORE_QUERY,
                _ => 0,
            };
            byte += 1;
        }
        kind
    };
    // Nearly every target has nothing odd: one pass without a branch says so.
    if target.iter().fold(0, |all, &byte| all | KIND[usize::from(byte)]) == 0 {
        return true;
    }
    let query = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    let wrong = |at: usize, byte: u8| {
        let kind = KIND[usize::from(byte)];
        kind == NEVER || (kind == BEFORE_QUERY && at < query)
    };
    !target.iter().enumerate().any(|(at, &byte)| wrong(at, byte))
}

/// What the fields say that decides about framing, the host and the connection.
#[derive(Debug, Default)]
struct Facts<'b> {
    length: Option<u64>,
    is_chunked: bool,
    host: Option<&'b str>,
    upgrade: Option<&'b str>,
    expects_continue: bool,
    connection: Connection,
}

impl<'b> Facts<'b> {
    fn take(&mut self, field: &Field<'b>) -> Result<(), Refusal> {
        let value = field.value;
        match Name::of(field.name) {
            Name::Host => self.host(value)?,
            Name::Upgrade => self.upgrade = std::str::from_utf8(value).ok(),
            Name::Connection => self.connection.take(value),
            Name::ContentLength => match length(value) {
                Some(length) if self.length.is_none() => self.length = Some(length),
                _ => {
                    return Err(Refusal::Malformed(
                        "there is not exactly one valid Content-Length",
                    ));
                }
            },
            Name::TransferEncoding => {
                if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::Malformed("Transfer-Encoding is not `chunked`, once"));
                }
                self.is_chunked = true;
            }
            Name::Expect => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            Name::Confusing => {
                return Err(Refusal::Malformed(
                    "content_length and transfer_encoding are not what they seem",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, value: &'b [u8]) -> Result<(), Refusal> {
        let fits = |&b: &u8| b.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&b);
        let host = std::str::from_utf8(value).ok().filter(|_| value.iter().all(fits));
        match host {
            Some(host) if self.host.is_none() => self.host = Some(host),
            _ => return Err(Refusal::Malformed("there is not exactly one valid Host")),
        }
        Ok(())
    }

    fn judge(&self, is_http_11: bool, target: &Target<'_>) -> Result<(), Refusal> {
        if is_http_11 && self.host.is_none() {
            return Err(Refusal::Malformed("there is not exactly one valid Host"));
        }
        // Whoever reads the one would serve another host than whoever reads the other.
        if let (Some((named, port)), Some(host)) = (target.authority, self.host) {
            let bare = |it: &'_ str| it.strip_suffix(port).unwrap_or(it).to_ascii_lowercase();
            if bare(named) != bare(host) {
                return Err(Refusal::Malformed("the target and Host name different hosts"));
            }
        }
        if self.is_chunked && !is_http_11 {
            return Err(Refusal::Malformed("HTTP/1.0 has no Transfer-Encoding"));
        }
        if self.is_chunked && self.length.is_some() {
            return Err(Refusal::Malformed("both Content-Length and Transfer-Encoding are there"));
        }
        Ok(())
    }
}

/// What is wrong with a head that cannot be read.
fn refusal(error: Error, head: &[u8]) -> Refusal {
    let line = head.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&b| b == b' ');
    let version = match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), Some(_), Some(version), None) => Some(version),
        _ => None,
    };
    match error {
        Error::TooManyHeaders => Refusal::HeadTooLarge,
        Error::Version if version.is_some_and(|it| it.starts_with(b"HTTP/")) => Refusal::Version,
        Error::HeaderName => {
            Refusal::Malformed("the name of a header is not a word, or a header is folded")
        }
        Error::HeaderValue => Refusal::Malformed("a header holds control characters"),
        Error::NewLine => Refusal::Malformed("a line does not end where it seems to"),
        Error::Token | Error::Status | Error::Version => {
            Refusal::Malformed("the request line is not `METHOD target HTTP/1.1`")
        }
    }
}

//! Requests read a second time: slowly, without a library, and with nothing of the other reader's. What
//! is let in must be the same to both.

use toehold_http::{Framing, MAX_FIELDS, Refusal};

/// What of a head decides where the next request begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How its body ends.
    pub framing: Framing,
    /// It asks to go on in another protocol, and has no body.
    pub upgrade: bool,
}

/// Reads a whole head, its empty line included.
pub fn check(head: &[u8]) -> Result<Head, Refusal> {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    let mut lines =
        head.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let line = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    let mut count = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        count += 1;
        if count > MAX_FIELDS {
            return Err(Refusal::HeadTooLarge);
        }
        fields.take(line)?;
    }
    fields.judge(&line)
}

/// What `GET /path HTTP/1.1` says beside the path.
#[derive(Debug)]
struct Line<'a> {
    is_http_11: bool,
    /// Of a target with a host in it: that host, with the port that counts where none is said.
    authority: Option<(&'a [u8], &'static [u8])>,
}

/// Checks `GET /path HTTP/1.1`.
fn request_line(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let mut parts = line.split(|&b| b == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed("the request line is not `METHOD target HTTP/1.1`"));
    };
    if method.is_empty() || !method.iter().all(|&b| is_token(b)) {
        return Err(Refusal::Malformed("the method is not a word"));
    }
    if method == b"CONNECT" {
        return Err(Refusal::Method);
    }
    if target.is_empty() || !fits_target(target) {
        return Err(Refusal::Malformed("the target holds what must be percent-encoded"));
    }
    let is_path = target[0] == b'/' || (target == b"*" && method == b"OPTIONS");
    let authority = if is_path { None } else { Some(authority(target)?) };
    let is_http_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ if version.starts_with(b"HTTP/") => return Err(Refusal::Version),
        _ => return Err(Refusal::Malformed("the request line does not end in a version")),
    };
    Ok(Line { is_http_11, authority })
}

/// The host in a target, and its usual port. A name and a password before it are refused, as RFC
/// 9110 (4.2.4) wishes.
fn authority(target: &[u8]) -> Result<(&[u8], &'static [u8]), Refusal> {
    let behind = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        let host = rest.split(|&b| b == b'/' || b == b'?').next().unwrap_or_default();
        start.eq_ignore_ascii_case(scheme).then_some(host)
    };
    let http = behind(b"http://").map(|host| (host, &b":80"[..]));
    let found = http.or_else(|| behind(b"https://").map(|host| (host, &b":443"[..])));
    match found {
        Some((host, port)) if !host.is_empty() && !host.contains(&b'@') => Ok((host, port)),
        _ => Err(Refusal::Malformed("the target is not a path")),
    }
}

/// The fields that decide about framing.
#[derive(Debug, Default)]
struct Fields<'a> {
    length: Option<u64>,
    chunked: bool,
    host: Option<&'a [u8]>,
    upgrade: bool,
    connection_upgrade: bool,
}

impl<'a> Fields<'a> {
    fn take(&mut self, line: &'a [u8]) -> Result<(), Refusal> {
        if line[0] == b' ' || line[0] == b'\t' {
            return Err(Refusal::Malformed("a header is folded over lines"));
        }
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            return Err(Refusal::Malformed("a header has no colon"));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|&b| is_token(b)) {
            return Err(Refusal::Malformed("the name of a header is not a word"));
        }
        if !value.iter().all(|&b| is_value(b)) {
            return Err(Refusal::Malformed("a header holds control characters"));
        }
        // Spaces and tabs: no other white space is left.
        let value = value.trim_ascii();
        // The length alone rules out nearly all names before they are compared.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value)?,
            // What is no text names no protocol.
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = std::str::from_utf8(value).is_ok();
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection_upgrade |= value
                    .split(|&b| b == b',')
                    .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value)?,
            // CGI and WSGI cannot tell this from the real one.
            14 if name.eq_ignore_ascii_case(b"content_length") => {
                return Err(Refusal::Malformed("content_length is not content-length"));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer_encoding") => {
                return Err(Refusal::Malformed("transfer_encoding is not transfer-encoding"));
            }
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        let fits = |&b: &u8| b.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(&b);
        if self.host.replace(value).is_some() || !value.iter().all(fits) {
            return Err(Refusal::Malformed("there is not exactly one valid Host"));
        }
        Ok(())
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        match number {
            // Above this sums of lengths could run over.
            Some(number) if digits && self.length.is_none() && number < 1 << 62 => {
                self.length = Some(number);
                Ok(())
            }
            _ => Err(Refusal::Malformed("there is not exactly one valid Content-Length")),
        }
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Malformed("Transfer-Encoding is not `chunked`, once"));
        }
        self.chunked = true;
        Ok(())
    }

    fn judge(&self, line: &Line<'_>) -> Result<Head, Refusal> {
        let is_http_11 = line.is_http_11;
        if is_http_11 && self.host.is_none() {
            return Err(Refusal::Malformed("there is not exactly one valid Host"));
        }
        // Whoever reads the one would serve another host than whoever reads the other.
        if let (Some((named, port)), Some(host)) = (line.authority, self.host) {
            let bare = |it: &'_ [u8]| it.strip_suffix(port).unwrap_or(it).to_ascii_lowercase();
            if bare(named) != bare(host) {
                return Err(Refusal::Malformed("the target and Host name different hosts"));
            }
        }
        if self.chunked && !is_http_11 {
            return Err(Refusal::Malformed("HTTP/1.0 has no Transfer-Encoding"));
        }
        if self.chunked && self.length.is_some() {
            return Err(Refusal::Malformed("both Content-Length and Transfer-Encoding are there"));
        }
        let framing =
            if self.chunked { Framing::Chunked } else { Framing::Length(self.length.unwrap_or(0)) };
        let has_body = framing != Framing::Length(0);
        let upgrade = is_http_11 && self.upgrade && self.connection_upgrade && !has_body;
        Ok(Head { framing, upgrade })
    }
}

/// Whether a target holds only what a URI may hold, and what browsers send beside it. A fragment
/// never leaves a browser.
fn fits_target(target: &[u8]) -> bool {
    let query = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    let fits = |&b: &u8| b.is_ascii_graphic() && !matches!(b, b'#' | b'<' | b'>' | b'"');
    target.iter().all(fits) && !target[..query].iter().any(|b| matches!(b, b'\\' | b'`'))
}

/// A byte of a method or of a field's name (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A byte of a field's value.
fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The most bytes of the line of a size, and of the fields behind the last chunk, line ends included.
const MAX_BYTES: [usize; 2] = [256, 8_191];

/// Reads a whole chunked body at the beginning of `bytes`: its content, and how many bytes it has.
/// `None`: it is not all there, as far as that can be told by whole lines.
pub fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
    let wrong = Refusal::Malformed("the chunks of the body are not well-formed");
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line(&bytes[at..])? else { return Ok(None) };
        let mut parts = line.splitn(2, |&b| b == b';');
        let digits = parts.next().unwrap_or_default();
        let fits = !digits.is_empty()
            && digits.iter().all(u8::is_ascii_hexdigit)
            && parts.next().is_none_or(|extension| extension.iter().all(|&b| is_value(b)))
            && line.len() + 2 <= MAX_BYTES[0];
        let digits = std::str::from_utf8(digits).map_err(|_| wrong)?.trim_start_matches('0');
        if !fits || digits.len() > 15 {
            return Err(wrong);
        }
        let size = usize::from_str_radix(&format!("0{digits}"), 16).map_err(|_| wrong)?;
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at.saturating_add(size)) else { return Ok(None) };
        content.extend_from_slice(chunk);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return Err(wrong),
            None => return Ok(None),
        }
    }
    let begun = at;
    loop {
        let Some(line) = line(&bytes[at..])? else { return Ok(None) };
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(Some((content, at)));
        }
        let (name, value) = line.split_at(line.iter().position(|&b| b == b':').ok_or(wrong)?);
        let fits = !name.is_empty()
            && name.iter().all(|&b| is_token(b))
            && value.iter().all(|&b| is_value(b))
            && at - begun <= MAX_BYTES[1];
        if !fits {
            return Err(wrong);
        }
    }
}

/// The line at the beginning of `bytes`, without its end; `None` where that is not there.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let Some(end) = bytes.iter().position(|&b| b == b'\n') else { return Ok(None) };
    bytes[..end]
        .strip_suffix(b"\r")
        .map(Some)
        .ok_or(Refusal::Malformed("a line ends in a line feed alone"))
}

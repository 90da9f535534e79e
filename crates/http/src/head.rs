//! Where the head of a request ends.

use memchr::memchr_iter;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It can be read in two ways, or in none. The text says what is wrong with it.
    Malformed(&'static str),
    /// The head is larger than allowed, or has too many fields.
    HeadTooLarge,
    /// A method that a proxy in front of apps does not serve.
    Method,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
}

/// The version of HTTP that a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no chunks, and one request a connection unless more are agreed to.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Finds the end of a request's head in `bytes`, of which `seen` were searched before. `Some(n)`:
/// the head is the first `n` bytes. A single empty line before it is part of it, as RFC 9112 (2.2)
/// wishes.
pub fn end(bytes: &[u8], seen: &mut usize, max_bytes: usize) -> Result<Option<usize>, Refusal> {
    let text = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let skipped = bytes.len() - text.len();
    // Something that is no HTTP at all (a TLS greeting, say) is refused at its first byte and not
    // when its time is over.
    let may_begin = |first: u8| is_token(first) || (skipped == 0 && first == b'\r');
    if !text.first().is_none_or(|&first| may_begin(first)) {
        return Err(Refusal::Malformed("the request does not begin with a method"));
    }
    let from = *seen;
    for at in memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
        if at == 0 || bytes[at - 1] != b'\r' {
            return Err(Refusal::Malformed("a line ends in a line feed alone"));
        }
        if at >= 3 && &bytes[at - 3..at] == b"\r\n\r" {
            return if at < max_bytes { Ok(Some(at + 1)) } else { Err(Refusal::HeadTooLarge) };
        }
    }
    if bytes.len() >= max_bytes {
        return Err(Refusal::HeadTooLarge);
    }
    *seen = bytes.len();
    Ok(None)
}

/// A byte of a method or of a field's name.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A byte of a field's value: text, a space or a tab.
pub(crate) const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

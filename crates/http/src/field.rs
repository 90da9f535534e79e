//! The fields of a head, and which of them mean something to a proxy.

use std::mem::MaybeUninit;

use httparse::Header;

/// The most fields of a head.
pub const MAX_FIELDS: usize = 100;

/// A field: its name as it was sent, and its value without the white space around it.
pub type Field<'a> = Header<'a>;

/// Room for the fields of a head, on the stack of whoever reads it.
pub type Fields<'a> = [MaybeUninit<Header<'a>>; MAX_FIELDS];

/// Room that is not filled yet.
#[must_use]
pub const fn fields<'a>() -> Fields<'a> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// What a field is to a proxy, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `Accept`.
    Accept,
    /// `Connection`: about this connection only, and names others that are.
    Connection,
    /// `Content-Length`.
    ContentLength,
    /// `Cookie`.
    Cookie,
    /// `Date`.
    Date,
    /// `Expect`.
    Expect,
    /// `Host`.
    Host,
    /// `Keep-Alive`: about this connection only.
    KeepAlive,
    /// `X-Request-Id`.
    RequestId,
    /// `TE`: about this connection only.
    Te,
    /// `Transfer-Encoding`: about this connection only.
    TransferEncoding,
    /// `Upgrade`: about this connection only.
    Upgrade,
    /// What a visitor claims about itself and only a proxy may say: `Forwarded`, `X-Forwarded-…`,
    /// `X-Real-Ip`, also in the spelling that CGI and WSGI take for the same.
    Claim,
    /// Another one that is about this connection only.
    HopByHop,
    /// A spelling of a length or coding that CGI and WSGI cannot tell from the real one.
    Confusing,
    /// One that means nothing to a proxy.
    Other,
}

impl Name {
    /// Of a field with this name. The length and the first letter alone rule out nearly all before
    /// anything is compared.
    #[must_use]
    pub fn of(name: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref();
        match (name.len(), name.first().map(u8::to_ascii_lowercase)) {
            (2, Some(b't')) if is(name, b"te") => Self::Te,
            (4, Some(b'h')) if is(name, b"host") => Self::Host,
            (4, Some(b'd')) if is(name, b"date") => Self::Date,
            (6, Some(b'a')) if is(name, b"accept") => Self::Accept,
            (6, Some(b'c')) if is(name, b"cookie") => Self::Cookie,
            (6, Some(b'e')) if is(name, b"expect") => Self::Expect,
            (7, Some(b'u')) if is(name, b"upgrade") => Self::Upgrade,
            (10, Some(b'c')) if is(name, b"connection") => Self::Connection,
            (10, Some(b'k')) if is(name, b"keep-alive") => Self::KeepAlive,
            (12, Some(b'x')) if is(name, b"x-request-id") => Self::RequestId,
            (14, Some(b'c')) if is(name, b"content-length") => Self::ContentLength,
            (14, Some(b'c')) if is(name, b"content_length") => Self::Confusing,
            (17, Some(b't')) if is(name, b"transfer-encoding") => Self::TransferEncoding,
            (17, Some(b't')) if is(name, b"transfer_encoding") => Self::Confusing,
            (16..=19, Some(b'p')) if is_for_a_proxy(name) => Self::HopByHop,
            (9.., Some(b'x' | b'f')) if is_claim(name) => Self::Claim,
            _ => Self::Other,
        }
    }
}

/// Whether a name is this one, however its letters are written.
///
/// `this` is of small letters, dashes and low lines. Of the bytes a name may have, only a letter's
/// capital differs from one of these in bit 5 alone, so all are compared without it: at once, since it is
/// known how many they are.
fn is<const N: usize>(name: &[u8], this: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name) else { return false };
    let mut differ = 0;
    for (a, b) in name.iter().zip(this) {
        differ |= (a | 0x20) ^ (b | 0x20);
    }
    differ == 0
}

fn is_for_a_proxy(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"];
    NAMES.iter().any(|it| name.eq_ignore_ascii_case(it))
}

fn is_claim(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"forwarded", b"x-real-ip", b"x-request-id"];
    const START: &[u8] = b"x-forwarded-";
    let same = |text: &[u8], to: &[u8]| {
        let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        text.len() == to.len() && text.iter().zip(to).all(|(&a, &b)| plain(a) == b)
    };
    NAMES.iter().any(|it| same(name, it))
        || name.get(..START.len()).is_some_and(|start| same(start, START))
}

/// The options a list names, such as `Connection` has one.
pub fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(<[u8]>::trim_ascii)
}

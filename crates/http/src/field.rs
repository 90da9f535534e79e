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
    /// Of a field with this name. The length alone rules out nearly all before bytes are compared.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let is = |text: &str| name.eq_ignore_ascii_case(text);
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("host") => Self::Host,
            4 if is("date") => Self::Date,
            6 if is("accept") => Self::Accept,
            6 if is("cookie") => Self::Cookie,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::KeepAlive,
            12 if is("x-request-id") => Self::RequestId,
            14 if is("content-length") => Self::ContentLength,
            14 if is("content_length") => Self::Confusing,
            16 if is("proxy-connection") => Self::HopByHop,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("transfer_encoding") => Self::Confusing,
            18 if is("proxy-authenticate") => Self::HopByHop,
            19 if is("proxy-authorization") => Self::HopByHop,
            9.. if is_claim(name) => Self::Claim,
            _ => Self::Other,
        }
    }
}

fn is_claim(name: &str) -> bool {
    const NAMES: [&[u8]; 3] = [b"forwarded", b"x-real-ip", b"x-request-id"];
    const START: &[u8] = b"x-forwarded-";
    let name = name.as_bytes();
    // One byte rules out most.
    if !matches!(name[0] | 0x20, b'x' | b'f') {
        return false;
    }
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

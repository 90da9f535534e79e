//! What of a head is passed on, and what the proxy says in its own name.

mod id;
mod session;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::rc::Rc;

use toehold_http::{Answer, Framing, Name, Request, options};

use crate::forced;
pub(crate) use crate::headers::id::Id;
pub(crate) use crate::headers::session::without as cookies;

/// One name for a request, at the visitor, here, and in the app's log.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// What an app is told of a visitor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The address at the other end.
    pub(crate) peer: &'a str,
    /// Whether it came over TLS.
    pub(crate) https: bool,
    pub(crate) id: &'a Id,
}

/// What a visitor is told beside what an instance says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) id: &'a Id,
    /// Keeps the visitor on an arm.
    pub(crate) cookie: Option<&'a str>,
    /// For an answer that has none.
    pub(crate) date: &'a str,
    /// The chunks of the body are passed on as they come.
    pub(crate) chunked: bool,
    /// What becomes of the connection, where that must be said.
    pub(crate) connection: Option<&'a str>,
}

/// An address as a header says it; one of IPv4 that came over an IPv6 socket as what it is.
pub(crate) fn address(peer: IpAddr) -> Rc<str> {
    peer.to_canonical().to_string().into()
}

/// Writes the head of the proxy's request to an instance.
pub(crate) fn to_instance(request: &Request<'_, '_>, told: Told<'_>, out: &mut Vec<u8>) {
    say(out, &[request.method, " ", request.slash, request.path, " HTTP/1.1\r\n"]);
    // HTTP/1.0 may say none, HTTP/1.1 must say even that (RFC 9112, 3.2).
    line(out, "host", request.host.unwrap_or_default());
    let mut takes_trailers = false;
    for field in request.fields {
        match Name::of(field.name) {
            Name::Te => takes_trailers |= options(field.value).any(|it| it == b"trailers"),
            // Those of the connection go; those the proxy says itself are said below. The visitor
            // was told to go on as soon as the body was asked for.
            Name::Connection
            | Name::Host
            | Name::Expect
            | Name::KeepAlive
            | Name::RequestId
            | Name::TransferEncoding
            | Name::Upgrade
            | Name::Claim
            | Name::HopByHop
            | Name::Confusing => {}
            _ if request.is_named(field.name) => {}
            Name::Cookie => session::without(field.value, |value| {
                bytes_line(out, field.name, value);
            }),
            Name::Other if forced::is_header(field.name) => {}
            Name::Accept | Name::ContentLength | Name::Date | Name::Other => {
                bytes_line(out, field.name, field.value);
            }
        }
    }
    if request.framing == Framing::Chunked {
        line(out, "transfer-encoding", "chunked");
    }
    if takes_trailers {
        // Fields behind an answer's body are passed on to who takes them.
        line(out, "connection", "te");
        line(out, "te", "trailers");
    }
    if let Some(protocol) = upgrade(request) {
        line(out, "connection", "upgrade");
        line(out, "upgrade", protocol);
    }
    line(out, "x-forwarded-for", told.peer);
    line(out, "x-forwarded-proto", if told.https { "https" } else { "http" });
    if let Some(host) = request.host {
        line(out, "x-forwarded-host", host);
    }
    line(out, REQUEST_ID, told.id.as_str());
    out.extend_from_slice(b"\r\n");
}

/// The protocol that a request asks to go on in; `None` where it asks for none that is passed on.
/// HTTP/2 is not: whoever speaks it behind an upgrade is past every check made here.
pub(crate) fn upgrade<'b>(request: &Request<'_, 'b>) -> Option<&'b str> {
    let h2 = |protocol: &str| {
        protocol.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b"h2c"))
    };
    request.upgrade.filter(|protocol| !h2(protocol))
}

/// Writes the head of the proxy's answer to a visitor.
pub(crate) fn to_visitor(answer: &Answer<'_, '_>, said: Said<'_>, out: &mut Vec<u8>) {
    status_line(out, answer.status, answer.reason);
    let mut length_is_said = false;
    for field in answer.fields {
        match Name::of(field.name) {
            Name::Connection
            | Name::KeepAlive
            | Name::RequestId
            | Name::Te
            | Name::TransferEncoding
            | Name::Upgrade
            | Name::HopByHop => {}
            // Where both are there, the chunks were what counted; a length passed on beside them
            // would promise something else, and one beside no body would promise one.
            Name::ContentLength
                if !matches!(answer.framing, Framing::Length(_))
                    || (answer.is_bodiless() && answer.status != 304) => {}
            // The same one again is no fault, but some take it for one.
            Name::ContentLength if std::mem::replace(&mut length_is_said, true) => {}
            _ if answer.is_named(field.name) => {}
            _ => bytes_line(out, field.name, field.value),
        }
    }
    if said.chunked {
        line(out, "transfer-encoding", "chunked");
    }
    if let Some(protocol) = answer.upgrade {
        line(out, "connection", "upgrade");
        line(out, "upgrade", protocol);
    } else if let Some(connection) = said.connection {
        line(out, "connection", connection);
    }
    if !answer.has_date {
        line(out, "date", said.date);
    }
    if let Some(cookie) = said.cookie {
        line(out, "set-cookie", cookie);
    }
    line(out, REQUEST_ID, said.id.as_str());
    out.extend_from_slice(b"\r\n");
}

/// Writes the head of an answer of the proxy's own.
pub(crate) fn of_page(
    status: u16,
    reason: &str,
    fields: &[(&str, &str)],
    said: Said<'_>,
    out: &mut Vec<u8>,
) {
    status_line(out, status, reason);
    for (name, value) in fields {
        line(out, name, value);
    }
    if let Some(connection) = said.connection {
        line(out, "connection", connection);
    }
    line(out, "date", said.date);
    line(out, REQUEST_ID, said.id.as_str());
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: u16, reason: &str) {
    let digit = |place: u16| b'0' + u8::try_from(status / place % 10).unwrap_or(0);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &str, value: &str) {
    bytes_line(out, name, value.as_bytes());
}

fn bytes_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn say(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

//! What of a head is passed on, and what the proxy says in its own name.

use std::net::IpAddr;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, Entry, HOST, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, StatusCode, Version};
use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// One name for a request, at the visitor, here, and in the app's log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that are about one connection only, beside those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
];

/// The protocol that a request asks to go on in; `None` where it asks for none that is passed on.
/// HTTP/2 is not: whoever speaks it behind an upgrade is past every check made here.
pub(crate) fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let asked = version == Version::HTTP_11
        && names(headers).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    let h2 = protocol.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b"h2c"));
    (asked && !body && !h2).then(|| protocol.clone())
}

/// Makes the headers of a visitor those of the proxy's request to an instance.
pub(crate) fn to_instance(
    headers: &mut HeaderMap,
    peer: &HeaderValue,
    https: bool,
    id: &HeaderValue,
    upgrade: Option<&HeaderValue>,
) {
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    drop_hop_by_hop(headers);
    drop_claims(headers);
    drop_sessions(headers);
    // The visitor was told to go on as soon as the body was asked for.
    headers.remove(EXPECT);
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    headers.insert(FORWARDED_FOR, peer.clone());
    let scheme = if https { "https" } else { "http" };
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(FORWARDED_HOST, host);
    }
    headers.insert(REQUEST_ID, id.clone());
}

/// Makes the headers of an instance's answer those of the proxy's answer to the visitor.
pub(crate) fn to_visitor(status: StatusCode, headers: &mut HeaderMap, id: HeaderValue) {
    // Where both are there, the chunks were what counted; a length passed on beside them would
    // promise something else.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let protocol = headers.get(UPGRADE).cloned();
    drop_hop_by_hop(headers);
    if status == StatusCode::SWITCHING_PROTOCOLS
        && let Some(protocol) = protocol
    {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    headers.insert(REQUEST_ID, id);
}

/// An address as a header says it; one of IPv4 that came over an IPv6 socket as what it is.
pub(crate) fn address(peer: IpAddr) -> HeaderValue {
    HeaderValue::try_from(peer.to_canonical().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// The id a request came with where it is a sane one, else a new one of 128 bits.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        (1..=64).contains(&id.len())
            && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
    };
    match headers.get(REQUEST_ID).filter(sane) {
        Some(id) => id.clone(),
        None => new_id(),
    }
}

fn new_id() -> HeaderValue {
    let mut digits = [0; 32];
    let random = fastrand::u128(..).to_be_bytes();
    match hex::encode_to_slice(random, &mut digits)
        .ok()
        .and_then(|()| HeaderValue::from_bytes(&digits).ok())
    {
        Some(id) => id,
        None => HeaderValue::from_static("0"),
    }
}

/// The names that `Connection` lists.
fn names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // Nearly every head names nothing but `keep-alive`, `close` or `upgrade`: those go anyway.
    let named: Vec<HeaderName> = names(headers)
        .filter(|name| !matches!(*name, "" | "keep-alive" | "close" | "upgrade" | "Upgrade"))
        .filter_map(|name| name.parse().ok())
        // These say where a message ends and whom it is for; no list may take them away.
        .filter(|name| *name != CONTENT_LENGTH && *name != HOST)
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove(UPGRADE);
}

/// Removes what a visitor claims about itself and what only a proxy may say, also in the spelling
/// that CGI and WSGI take for the same.
fn drop_claims(headers: &mut HeaderMap) {
    const NAMES: [&str; 3] = ["forwarded", "x-real-ip", "x-request-id"];
    const START: &str = "x-forwarded-";
    let claims = |name: &HeaderName| {
        let name = name.as_str();
        // One byte rules out most.
        if !name.starts_with(['x', 'f']) {
            return false;
        }
        let same = |text: &str, to: &str| {
            text.len() == to.len()
                && text.bytes().zip(to.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-'))
        };
        NAMES.iter().any(|it| same(name, it))
            || name.get(..START.len()).is_some_and(|start| same(start, START))
    };
    let found: Vec<HeaderName> = headers.keys().filter(|name| claims(name)).cloned().collect();
    for name in found {
        if let Entry::Occupied(entry) = headers.entry(name) {
            entry.remove_entry_mult();
        }
    }
}

/// Removes the sessions of the dashboard, which a browser sends to every port of a host: they are
/// no app's to have.
fn drop_sessions(headers: &mut HeaderMap) {
    fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
        line.as_bytes().split(|byte| *byte == b';')
    }
    let is_session = |pair: &[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair).trim_ascii();
        name == SESSION_COOKIE_PLAIN.as_bytes() || name == SESSION_COOKIE_SECURE.as_bytes()
    };
    if !headers.get_all(COOKIE).iter().any(|line| pairs(line).any(is_session)) {
        return;
    }
    let Entry::Occupied(lines) = headers.entry(COOKIE) else { return };
    let (_, lines) = lines.remove_entry_mult();
    let lines: Vec<HeaderValue> = lines.collect();
    for line in lines {
        let kept: Vec<&[u8]> = pairs(&line).filter(|pair| !is_session(pair)).collect();
        if let Ok(line) = HeaderValue::from_bytes(kept.join(&b';').trim_ascii())
            && !line.is_empty()
        {
            headers.append(COOKIE, line);
        }
    }
}

#[cfg(test)]
mod tests;

//! What of a head is passed on, and what the proxy says in its own name.

use std::net::IpAddr;

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, Entry, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, StatusCode, Version};

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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (
                name.parse::<HeaderName>().expect("it is a name"),
                value.parse::<HeaderValue>().expect("it is a value"),
            )
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(line) {
            headers.append(name, value);
        }
        headers
    }

    fn sent(lines: &[(&str, &str)]) -> Vec<String> {
        let mut headers = headers(lines);
        let id = HeaderValue::from_static("id");
        to_instance(&mut headers, &address([192, 0, 2, 1].into()), false, &id, None);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().expect("it is text"))
        };
        let mut lines: Vec<String> = headers.iter().map(text).collect();
        lines.sort();
        lines
    }

    const OURS: [&str; 3] =
        ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: http", "x-request-id: id"];

    #[test]
    fn what_is_about_one_connection_is_not_passed_on() {
        let lines = sent(&[
            ("connection", "close, X-Custom"),
            ("connection", "Cookie"),
            ("x-custom", "a"),
            ("cookie", "a"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("proxy-authorization", "a"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
        ]);
        assert_eq!(lines, OURS);
    }

    #[test]
    fn a_list_cannot_take_away_what_the_proxy_says_or_where_a_body_ends() {
        let lines = sent(&[
            ("host", "a"),
            ("content-length", "3"),
            ("connection", "host, content-length, x-forwarded-for, x-request-id"),
        ]);
        let mut all = vec!["content-length: 3", "host: a"];
        all.extend(OURS);
        all.insert(3, "x-forwarded-host: a");
        assert_eq!(lines, all);
    }

    #[test]
    fn what_a_visitor_claims_about_itself_is_replaced() {
        let lines = sent(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x_forwarded_for", "10.0.0.3"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "bank"),
            ("x-forwarded-port", "443"),
            ("x-real-ip", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x-request-id", "<script>"),
        ]);
        assert_eq!(lines, OURS);
    }

    #[test]
    fn a_sane_request_id_is_kept() {
        let id = |given: &str| request_id(&headers(&[("x-request-id", given)]));
        assert_eq!(id("a.B_9-"), "a.B_9-");
        for bad in ["", "a b", "<a>", &"a".repeat(65)] {
            let fresh = id(bad);
            assert_eq!(fresh.len(), 32, "{bad:?} was kept");
            assert_ne!(fresh, id(bad));
        }
    }

    #[test]
    fn a_length_beside_chunks_is_not_passed_on() {
        let mut answer = headers(&[("transfer-encoding", "chunked"), ("content-length", "3")]);
        to_visitor(StatusCode::OK, &mut answer, HeaderValue::from_static("id"));
        assert_eq!(answer, headers(&[("x-request-id", "id")]));
    }

    #[test]
    fn an_upgrade_is_passed_on_unless_it_is_to_http_2() {
        let asked = |protocol: &str| {
            let headers = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", protocol)]);
            upgrade(Version::HTTP_11, &headers)
        };
        assert_eq!(asked("websocket").expect("it is asked for"), "websocket");
        assert_eq!(asked("h2c"), None);
        assert_eq!(upgrade(Version::HTTP_11, &headers(&[("upgrade", "websocket")])), None);
    }
}

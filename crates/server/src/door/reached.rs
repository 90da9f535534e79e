//! How somebody reached us, as their request says it: what they can use again.

use std::net::{Ipv4Addr, SocketAddr};

use axum::http::header::{HOST, HeaderName};
use axum::http::{HeaderMap, uri::Authority};

use super::caller::Peer;

/// Whether a server in front took the request by HTTPS.
pub(crate) fn by_https(headers: &HeaderMap) -> bool {
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
    headers.get(PROTO).is_some_and(|it| it.as_bytes() == b"https")
}

/// The beginning of our URLs: as the request named us where it came over the network, else by the
/// address we listen on.
pub(crate) fn base(peer: Peer, headers: &HeaderMap, api: SocketAddr) -> String {
    let scheme = if by_https(headers) { "https" } else { "http" };
    let named = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    match (peer, named) {
        (Peer::Network(_), Some(host)) => format!("{scheme}://{host}"),
        (Peer::Network(_) | Peer::Socket(_), _) => {
            let mut api = api;
            if api.ip().is_unspecified() {
                api.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            format!("http://{api}")
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_link_leads_back_the_way_somebody_came() {
        let api: SocketAddr = "0.0.0.0:7077".parse().expect("an address");
        let network = Peer::Network(Ipv4Addr::new(192, 0, 2, 1).into());
        let mut headers = HeaderMap::new();
        assert_eq!(base(network, &headers, api), "http://127.0.0.1:7077");
        headers.insert(HOST, HeaderValue::from_static("toehold.example.com:7077"));
        assert_eq!(base(network, &headers, api), "http://toehold.example.com:7077");
        assert_eq!(base(Peer::Socket(None), &headers, api), "http://127.0.0.1:7077");
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        headers.insert(HOST, HeaderValue::from_static("toehold.example.com"));
        assert_eq!(base(network, &headers, api), "https://toehold.example.com");
        headers.insert(HOST, HeaderValue::from_static("a b"));
        assert_eq!(base(network, &headers, api), "http://127.0.0.1:7077");
    }
}

//! The host a request is for.

use std::borrow::Cow;

use hyper::header::{HOST, HeaderValue};
use hyper::{HeaderMap, Uri};

/// Makes a target with a host in it (`GET http://shop/x`) one without, and that host the `Host`: the
/// gate lets in none that differ, but HTTP/1.0 may say it in the target alone.
pub(crate) fn settle(uri: &mut Uri, headers: &mut HeaderMap) {
    let Some(authority) = uri.authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        headers.insert(HOST, host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
}

/// The host, lower case, without a port or the dot of a full name; empty where there is none.
pub(crate) fn host(headers: &HeaderMap) -> Cow<'_, str> {
    let text = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match text.rfind(':') {
        // A colon within brackets belongs to an IPv6 address.
        Some(colon) if !text[colon..].contains(']') => &text[..colon],
        _ => text,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_port_case_and_last_dot() {
        for (given, read) in [
            ("shop.localhost", "shop.localhost"),
            ("Shop.LOCALHOST:8080", "shop.localhost"),
            ("shop.example.com.", "shop.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            let value = HeaderValue::from_static(given);
            assert_eq!(host(&HeaderMap::from_iter([(HOST, value)])), read);
        }
        assert_eq!(host(&HeaderMap::new()), "");
    }

    #[test]
    fn a_host_in_the_target_alone_is_the_host() {
        let mut headers = HeaderMap::new();
        let mut uri = Uri::from_static("http://shop:80/a?b");
        settle(&mut uri, &mut headers);
        assert_eq!((uri.to_string().as_str(), host(&headers).as_ref()), ("/a?b", "shop"));
        let mut uri = Uri::from_static("http://shop");
        settle(&mut uri, &mut headers);
        assert_eq!(uri.to_string(), "/");
    }
}

//! What of a call's head is passed on.

use hyper::body::Incoming;
use hyper::header::{COOKIE, Entry, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, Uri, Version};
use toehold_http::Name;

use crate::forced;
use crate::headers::{self, Id};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a call.
pub(super) fn id(request: &Request<Incoming>) -> Id {
    let given = request.headers().get(&REQUEST_ID).and_then(|id| Id::taken_over(id.as_bytes()));
    given.unwrap_or_else(Id::fresh)
}

/// Makes the head of a visitor's call that of the proxy's call to an instance.
pub(super) fn to_instance(request: &mut Request<Incoming>, peer: &str, id: &HeaderValue) {
    let said = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let fields = request.headers_mut();
    let claims = |name: &HeaderName| {
        let kind = Name::of(name.as_str());
        matches!(
            kind,
            Name::Claim | Name::RequestId | Name::HopByHop | Name::Host | Name::Confusing
        ) || forced::is_header(name.as_str())
    };
    let found: Vec<HeaderName> = fields.keys().filter(|name| claims(name)).cloned().collect();
    for name in found {
        fields.remove(name);
    }
    if let Entry::Occupied(lines) = fields.entry(COOKIE) {
        let lines: Vec<HeaderValue> = lines.remove_entry_mult().1.collect();
        for line in lines {
            headers::cookies(line.as_bytes(), |kept| {
                if let Ok(kept) = HeaderValue::from_bytes(kept) {
                    fields.append(COOKIE, kept);
                }
            });
        }
    }
    let mut say = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            fields.insert(name, value);
        }
    };
    say("x-forwarded-for", peer);
    say("x-forwarded-proto", "https");
    if let Some(host) = &said {
        say("x-forwarded-host", host);
    }
    fields.insert(REQUEST_ID, id.clone());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(hyper::http::uri::Scheme::HTTP);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
}

/// Makes the head of an instance's answer the visitor's.
pub(super) fn to_visitor(headers: &mut HeaderMap, id: &HeaderValue) {
    headers.insert(REQUEST_ID, id.clone());
}

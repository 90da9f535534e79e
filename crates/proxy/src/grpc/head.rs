//! What of a call's head is passed on.

use ::h2::RecvStream;
use hyper::header::{COOKIE, Entry, HOST, HeaderName, HeaderValue};
use hyper::http::uri::{Authority, Scheme};
use hyper::{HeaderMap, Request, Uri, Version};
use toehold_http::Name;

use crate::forced;
use crate::headers::{self, Id};

const REQUEST_ID: HeaderName = HeaderName::from_static(headers::REQUEST_ID);

/// The id of a call.
pub(super) fn id(request: &Request<RecvStream>) -> Id {
    let given = request.headers().get(&REQUEST_ID).and_then(|id| Id::taken_over(id.as_bytes()));
    given.unwrap_or_else(Id::fresh)
}

/// The host a call is for. Who only translates what it was asked may say it as a field (RFC 9113,
/// 8.3.1); a name and a password before it are nothing that an app is told.
pub(super) fn authority(request: &Request<RecvStream>) -> Option<Authority> {
    let field = || request.headers().get(HOST)?.to_str().ok()?.parse().ok();
    let said = request.uri().authority().cloned().or_else(field)?;
    Some(said).filter(|said| !said.as_str().contains('@'))
}

/// Makes the head of a visitor's call that of the proxy's call to an instance.
pub(super) fn to_instance(
    request: &mut Request<RecvStream>,
    authority: &Authority,
    peer: &str,
    id: &HeaderValue,
) {
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
    say("x-forwarded-host", authority.as_str());
    fields.insert(REQUEST_ID, id.clone());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.clone());
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
}

/// Makes the head of an instance's answer the visitor's.
pub(super) fn to_visitor(headers: &mut HeaderMap, id: &HeaderValue) {
    headers.insert(REQUEST_ID, id.clone());
}

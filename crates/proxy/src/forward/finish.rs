//! The head of an instance's answer, made the visitor's.

use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};

use crate::download::{Download, Stream};
use crate::headers;
use crate::retry::Answered;
use crate::upgrade;
use crate::visit::{Busy, Visit};

/// The answer to the visitor.
pub(super) fn finish(
    answered: Answered,
    visit: &Visit,
    index: u64,
    busy: Busy,
    id: HeaderValue,
) -> Response<Download> {
    let Answered { mut response, lease, flight, upgrade, cookie, http_10 } = answered;
    let status = response.status();
    headers::to_visitor(status, response.headers_mut(), id);
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
    visit.pulse.decide_upgrade(index, upgraded);
    if upgraded && let Some(visitor) = upgrade {
        let instance = hyper::upgrade::on(&mut response);
        upgrade::tunnel(visitor, instance, visit.pulse.clone(), flight, visit.ends.clone());
        return response.map(|_| Download::Text(None, busy));
    }
    response.map(|incoming| {
        Download::Stream(Stream {
            incoming,
            ended: false,
            ends_with_connection: http_10,
            lease: Some(lease),
            flight,
            busy,
        })
    })
}

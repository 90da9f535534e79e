//! The head of an instance's answer, made the visitor's.

use hyper::body::Incoming;
use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode};

use crate::body::{Busy, Download, Stream};
use crate::engine::Visit;
use crate::headers;
use crate::meter::Flight;
use crate::upgrade;
use crate::upstream::Lease;

/// An answer of an instance, its body still to come.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    pub(crate) flight: Flight,
    /// The visitor's side of an upgrade that was asked for and agreed to.
    pub(crate) upgrade: Option<OnUpgrade>,
    /// Keeps the visitor on the arm that was drawn just now.
    pub(crate) cookie: Option<HeaderValue>,
    /// The visitor knows the end of an answer only by the end of the connection.
    pub(crate) http_10: bool,
}

impl Answered {
    /// The answer to the visitor.
    pub(super) fn finish(
        self,
        visit: &Visit,
        index: u64,
        busy: Busy,
        id: HeaderValue,
    ) -> Response<Download> {
        let Self { mut response, lease, flight, upgrade, cookie, http_10 } = self;
        let status = response.status();
        headers::to_visitor(status, response.headers_mut(), id);
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        let upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
        visit.pulse.decide_upgrade(index, upgraded);
        if upgraded && let Some(visitor) = upgrade {
            let instance = hyper::upgrade::on(&mut response);
            upgrade::tunnel(visitor, instance, visit.pulse.clone(), flight, visit.tunnel_idle);
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
}

//! What a visitor asks, made ready to be sent.

use std::borrow::Cow;
use std::rc::Rc;

use bytes::BytesMut;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Request, Version};

use crate::headers;
use crate::host;
use crate::page::Page;
use crate::retry::{Job, upload_page};
use crate::route::App;
use crate::sticky::Key;
use crate::upload::{Fault, Progress, Upload};
use crate::visit::Visit;

/// The largest body that is read whole so that the request can be sent again, in bytes.
const MAX_KEPT_BYTES: u64 = 64 * 1024;

/// A request as it came in.
pub(super) struct Intake {
    parts: Parts,
    incoming: Incoming,
    upgrade: Option<(HeaderValue, OnUpgrade)>,
}

impl Intake {
    /// Takes a request apart.
    pub(super) fn settle(mut request: Request<Incoming>) -> Self {
        let upgrade = headers::upgrade(request.version(), request.headers())
            .map(|protocol| (protocol, hyper::upgrade::on(&mut request)));
        let (mut parts, incoming) = request.into_parts();
        host::settle(&mut parts.uri, &mut parts.headers);
        Self { parts, incoming, upgrade }
    }

    /// The host it is for.
    pub(super) fn host(&self) -> Cow<'_, str> {
        host::host(&self.parts.headers)
    }

    /// Makes it ready to be sent.
    pub(super) async fn job(
        self,
        visit: &Visit,
        app: &App,
        key: &Key,
        id: &HeaderValue,
    ) -> Result<Job, Page> {
        let Self { mut parts, incoming, upgrade } = self;
        let length = length(&parts);
        if length.is_some_and(|length| length > app.max_body_bytes) {
            return Err(Page::BODY_TOO_LARGE);
        }
        let kept =
            if app.sticky && app.is_split() { key.read(&app.name, &parts.headers) } else { None };
        let protocol = upgrade.as_ref().map(|(protocol, _)| protocol);
        headers::to_instance(&mut parts.headers, &visit.peer, visit.https, id, protocol);
        let http_10 = parts.version == Version::HTTP_10;
        parts.version = Version::HTTP_11;
        let idempotent = is_idempotent(&parts.method);
        let upload = if incoming.is_end_stream() {
            Upload::Empty
        } else if idempotent && length.is_some_and(|length| length <= MAX_KEPT_BYTES) {
            whole(incoming, app).await?
        } else {
            Upload::Stream(incoming, Rc::new(Progress::new(app.max_body_bytes)))
        };
        let mut request = Request::new(upload);
        *request.method_mut() = parts.method;
        *request.uri_mut() = parts.uri;
        *request.headers_mut() = parts.headers;
        let upgrade = upgrade.map(|(_, upgrade)| upgrade);
        Ok(Job { request, idempotent, kept, upgrade, http_10 })
    }
}

fn length(parts: &Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a request may be carried out twice with the effect of once (RFC 9110, 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE]
        .contains(method)
}

/// Reads a small body whole.
async fn whole(mut incoming: Incoming, app: &App) -> Result<Upload, Page> {
    let progress = Progress::new(app.max_body_bytes);
    let mut bytes = BytesMut::new();
    let all = async {
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| upload_page(Fault::of(&error)))?;
            if let Ok(data) = frame.into_data() {
                progress.add(data.len()).map_err(upload_page)?;
                bytes.extend_from_slice(&data);
            }
        }
        Ok(())
    };
    match tokio::time::timeout(app.timeout, all).await {
        Ok(read) => read.map(|()| Upload::Whole(bytes.freeze())),
        Err(_) => Err(Page::UPLOAD_TOO_SLOW),
    }
}

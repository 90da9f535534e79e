//! A call of gRPC: it needs HTTP/2 all the way, so it is passed on frame by frame to an instance that
//! speaks it, too (without TLS, and without having been asked whether it does).

mod body;
mod head;
mod note;

use std::rc::Rc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::time::timeout_at;

use crate::channels::{Failure, Sent};
use crate::clock;
use crate::grpc::note::Note;
use crate::host;
use crate::meter::Flight;
use crate::page::Page;
use crate::route::{Aim, App, Choice, Tried, choose};
use crate::worker::Worker;

pub(crate) use crate::grpc::body::Call;

/// The most instances that a call is tried at. Only what nothing was sent of is tried again.
const MAX_TRIES: usize = 3;

/// The codes of gRPC for what the proxy itself says.
const UNAVAILABLE: &str = "14";
const DEADLINE_EXCEEDED: &str = "4";

/// Whether a request is a call.
pub(crate) fn is_call(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    // `application/grpc-web` is made for HTTP/1.1 and goes its way, as does what only begins so.
    let rest = kind.strip_prefix(b"application/grpc");
    let is_it = rest.is_some_and(|rest| rest.first().is_none_or(|next| b"+; ".contains(next)));
    is_it && request.method() == Method::POST
}

/// Passes a call on. Where no instance answers, gRPC has a way of its own to say so.
pub(crate) async fn call(
    worker: Rc<Worker>,
    peer: Rc<str>,
    request: Request<Incoming>,
) -> Response<Call> {
    let id = head::id(&request);
    let said_id = HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("0"));
    let mut note = Note::of(&worker, &request, peer.clone(), id);
    let mut response = match pass(&worker, &peer, &said_id, request, &mut note).await {
        Ok(response) => response.map(Some),
        Err((page, code)) => {
            note.whole = true;
            refused(page, code)
        }
    };
    note.answered(response.status().as_u16());
    head::to_visitor(response.headers_mut(), &said_id);
    response.map(|coming| Call::new(coming, note))
}

/// What comes from an instance, and the call in flight there.
type Coming = (Incoming, Flight);

async fn pass(
    worker: &Rc<Worker>,
    peer: &str,
    id: &HeaderValue,
    mut request: Request<Incoming>,
    note: &mut Note,
) -> Result<Response<Coming>, (Page, &'static str)> {
    let table = worker.table();
    let authority = request.uri().authority().map_or("", |authority| authority.as_str());
    // A name and a password before the host are nothing that an app is told (RFC 9113, 8.3.1).
    let said = if authority.contains('@') { "" } else { authority };
    let app = table.app(&host::name(said)).ok_or((Page::NO_APP, UNAVAILABLE))?.clone();
    app.meter.earn(worker.index);
    head::to_instance(&mut request, peer, id);
    if let Some(entry) = &mut note.entry {
        entry.is_for(&app.name);
    }
    let passed = tries(worker, &app, request, note).await;
    if let Err((page, _)) = &passed {
        app.meter.refused(worker.index, page.status);
    }
    passed
}

async fn tries(
    worker: &Rc<Worker>,
    app: &App,
    request: Request<Incoming>,
    note: &mut Note,
) -> Result<Response<Coming>, (Page, &'static str)> {
    let (parts, incoming) = request.into_parts();
    let (sent, whole) = Sent::new(incoming);
    let mut request = Request::from_parts(parts, sent);
    let mut tried = Tried::default();
    for _ in 0..MAX_TRIES {
        let (at_us, random) = (clock::now_us(), || fastrand::u64(..));
        let by = (worker.index, at_us);
        let Some(choice) = choose(app, Aim::Drawn, &tried, by, random) else { break };
        tried.add(&choice.instance);
        if let Some(entry) = &mut note.entry {
            entry.asks(&choice.instance, choice.track, choice.release);
        }
        let (sent, meter) = (Instant::now(), &choice.instance.meter);
        let flight = Flight::begin(meter, worker.index, Some(at_us));
        let by = (sent + app.timeout).into();
        let failure = match timeout_at(by, worker.channels.send(&choice.instance, request)).await {
            Ok(Ok(response)) => {
                return Ok(answered(worker, &choice, flight, (sent, at_us), response));
            }
            Ok(Err(failure)) => failure,
            // Where the visitor has not said all of it, no instance is to blame for what comes of it.
            Err(_) if !whole.get() => return Err((Page::UPLOAD_TOO_SLOW, DEADLINE_EXCEEDED)),
            Err(_) => {
                meter.failed(worker.index);
                return Err((Page::TOO_SLOW, DEADLINE_EXCEEDED));
            }
        };
        match failure {
            Failure::Unsent(again, why) => {
                meter.failed(worker.index);
                worker.shared.set_aside(&choice.instance, &why);
                request = *again;
            }
            Failure::Unspoken(error) => {
                tracing::debug!(%error, instance.id = %choice.instance.id, "it takes no calls");
                return Err((Page::BROKEN, UNAVAILABLE));
            }
            Failure::Sent(error) => {
                meter.failed(worker.index);
                tracing::debug!(%error, instance.id = %choice.instance.id, "a call broke off");
                return Err((Page::BROKEN, UNAVAILABLE));
            }
        }
    }
    let none = if app.serves() { Page::NO_ANSWER } else { Page::NO_INSTANCE };
    Err((none, UNAVAILABLE))
}

fn answered(
    worker: &Worker,
    choice: &Choice,
    flight: Flight,
    (sent, at_us): (Instant, u64),
    response: Response<Incoming>,
) -> Response<Coming> {
    let took_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
    choice.instance.meter.answered(worker.index, response.status().as_u16(), at_us, took_us);
    if choice.instance.answered(sent) {
        worker.shared.taken_back(&choice.instance);
    }
    response.map(|incoming| (incoming, flight))
}

/// What gRPC calls a response of trailers alone.
fn refused(page: Page, code: &'static str) -> Response<Option<Coming>> {
    let mut response = Response::new(None);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(code));
    headers.insert("grpc-message", HeaderValue::from_static(page.text));
    response
}

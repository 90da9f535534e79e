//! A call of gRPC: it needs HTTP/2 all the way, so it is passed on frame by frame to an instance that
//! speaks it, too (without TLS, and without having been asked whether it does).

mod head;
mod note;
mod pass;
mod wait;

use std::rc::Rc;
use std::time::Instant;

use ::h2::{Reason, RecvStream};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};

use crate::busy::Open;
use crate::channels::Place;
use crate::clock;
use crate::grpc::note::Note;
use crate::grpc::pass::Passing;
use crate::grpc::wait::{Came, Failed, wait};
use crate::host;
use crate::meter::Flight;
use crate::page::Page;
use crate::pipe::Pipe;
use crate::route::{Aim, App, Choice, Tried, choose};
use crate::stream::Respond;
use crate::upstream::Undialled;
use crate::worker::Worker;

/// The most instances that a call is tried at. Only what nothing was sent of is tried again.
const MAX_TRIES: usize = 3;

/// The codes of gRPC for what the proxy itself says.
const UNAVAILABLE: &str = "14";
const DEADLINE_EXCEEDED: &str = "4";

/// Whether a request is a call.
pub(crate) fn is_call(request: &Request<RecvStream>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    // `application/grpc-web` is made for HTTP/1.1 and goes its way, as does what only begins so.
    let rest = kind.strip_prefix(b"application/grpc");
    let is_it = rest.is_some_and(|rest| rest.first().is_none_or(|next| b"+; ".contains(next)));
    is_it && request.method() == Method::POST
}

/// An answer that came from an instance.
struct Answered {
    response: Response<RecvStream>,
    /// What is left of the call.
    asked: Pipe,
    flight: Flight,
    place: Place,
}

/// Why there is none.
enum Unanswered {
    /// The visitor hears why, with a code of gRPC.
    Said(Page, &'static str),
    /// It left.
    Gone,
}

/// Who calls.
struct Caller {
    /// Its stream.
    open: Open,
    respond: Respond,
    note: Note,
}

/// Passes a call on, and its answer back, for as long as the visitor wants to hear it. Where no
/// instance answers, gRPC has a way of its own to say so.
pub(crate) async fn answer(
    worker: Rc<Worker>,
    peer: Rc<str>,
    open: Open,
    request: Request<RecvStream>,
    respond: Respond,
) {
    let id = head::id(&request);
    let mut said_id = HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("0"));
    // Each is another one: in a table of what was said before it would only be in the way.
    said_id.set_sensitive(true);
    let note = Note::of(&worker, &request, peer.clone(), id);
    let mut caller = Caller { open, respond, note };
    let answered = ask(&worker, (&peer, &said_id), request, &mut caller).await;
    let Caller { open, mut respond, mut note } = caller;
    let answered = match answered {
        Ok(answered) => answered,
        Err(Unanswered::Gone) => return,
        Err(Unanswered::Said(page, code)) => {
            let mut response = refused(page, code);
            note.answered(response.status().as_u16());
            head::to_visitor(response.headers_mut(), &said_id);
            note.whole = respond.send_response(response, true).is_ok();
            return;
        }
    };
    let Answered { response, asked, flight, place } = answered;
    note.answered(response.status().as_u16());
    let (mut head, coming) = response.into_parts();
    head::to_visitor(&mut head.headers, &said_id);
    let is_all = coming.is_end_stream();
    // Who is gone meanwhile hears nothing of it.
    let Ok(to) = respond.send_response(Response::from_parts(head, ()), is_all) else { return };
    note.whole = is_all;
    if !is_all {
        let said = Pipe::new(coming, to, false);
        let passing = Passing { asked: Some(asked), said, flight, _place: place, open, note };
        passing.pass(&worker.shared.limits).await;
    }
}

async fn ask(
    worker: &Rc<Worker>,
    (peer, id): (&str, &HeaderValue),
    mut request: Request<RecvStream>,
    caller: &mut Caller,
) -> Result<Answered, Unanswered> {
    let table = worker.table();
    let none = || Unanswered::Said(Page::NO_APP, UNAVAILABLE);
    let authority = head::authority(&request).ok_or_else(none)?;
    let app = table.app(&host::name(authority.as_str())).ok_or_else(none)?.clone();
    app.meter.earn(worker.index);
    head::to_instance(&mut request, &authority, peer, id);
    if let Some(entry) = &mut caller.note.entry {
        entry.is_for(&app.name);
    }
    let (head, coming) = request.into_parts();
    let passed = tries(worker, &app, &head, coming, caller).await;
    if let Err(Unanswered::Said(page, _)) = &passed {
        app.meter.refused(worker.index, page.status);
    }
    passed
}

async fn tries(
    worker: &Rc<Worker>,
    app: &App,
    head: &Parts,
    mut coming: RecvStream,
    caller: &mut Caller,
) -> Result<Answered, Unanswered> {
    let said = |page, code| Err(Unanswered::Said(page, code));
    let mut tried = Tried::default();
    for _ in 0..MAX_TRIES {
        let (at_us, random) = (clock::now_us(), || fastrand::u64(..));
        let by = (worker.index, at_us);
        let Some(choice) = choose(app, Aim::Drawn, &tried, by, random) else { break };
        let (instance, meter) = (&choice.instance, &choice.instance.meter);
        if let Some(entry) = &mut caller.note.entry {
            entry.asks(instance, choice.track, choice.release);
        }
        let sent = Instant::now();
        let flight = Flight::begin(meter, worker.index, Some(at_us));
        let begun = match worker.channels.begin(instance, head, coming.is_end_stream()).await {
            Ok(begun) => begun,
            Err(Undialled::Ours) => return said(Page::BUSY, UNAVAILABLE),
            Err(Undialled::Theirs(why)) => {
                tried.add(instance);
                meter.failed(worker.index);
                worker.shared.set_aside(instance, &why);
                continue;
            }
        };
        let (error, unsent) = match wait(begun, coming, caller, &flight, app.timeout).await {
            Ok(Came { response, asked, place }) => {
                worker.channels.spoke(instance);
                answered(worker, &choice, (sent, at_us), response.status().as_u16());
                return Ok(Answered { response, asked, flight, place });
            }
            Err(Failed::Gone) => return Err(Unanswered::Gone),
            // Where the visitor has not said all of it, no instance is to blame for what comes of it.
            Err(Failed::Slow) => return said(Page::UPLOAD_TOO_SLOW, DEADLINE_EXCEEDED),
            Err(Failed::Late) => {
                meter.failed(worker.index);
                return said(Page::TOO_SLOW, DEADLINE_EXCEEDED);
            }
            Err(Failed::Broken(error, unsent)) => (error, unsent),
        };
        tracing::debug!(%error, instance.id = %instance.id, "a call broke off");
        match unsent {
            _ if !worker.channels.speaks(instance) => {
                // It seems to speak HTTP/1.1 alone, and whoever calls it nevertheless shows nothing
                // but that.
                return said(Page::BROKEN, UNAVAILABLE);
            }
            // It says that it has not looked at it: it was about to close the connection, say.
            Some(again) if is_untouched(&error) => coming = again,
            _ => {
                meter.failed(worker.index);
                return said(Page::BROKEN, UNAVAILABLE);
            }
        }
    }
    said(if app.serves() { Page::NO_ANSWER } else { Page::NO_INSTANCE }, UNAVAILABLE)
}

/// Whether an instance says that it did nothing with a call (RFC 9113, 8.7).
fn is_untouched(error: &::h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
}

fn answered(worker: &Worker, choice: &Choice, (sent, at_us): (Instant, u64), status: u16) {
    let took_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
    choice.instance.meter.answered(worker.index, status, at_us, took_us);
    if choice.instance.answered(sent) {
        worker.shared.taken_back(&choice.instance);
    }
}

/// What gRPC calls a response of trailers alone.
fn refused(page: Page, code: &'static str) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from_static(code));
    headers.insert("grpc-message", HeaderValue::from_static(page.text));
    response
}

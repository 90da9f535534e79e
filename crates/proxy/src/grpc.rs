//! A call of gRPC: it needs HTTP/2 all the way, so it is passed on frame by frame to an instance that
//! speaks it, too (without TLS, and without having been asked whether it does).

mod body;
mod head;
mod note;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ::h2::RecvStream;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::time::sleep_until;

use crate::busy::Open;
use crate::channels::{Failure, Sent, SoFar};
use crate::clock;
use crate::grpc::body::{Call, Coming, End, Saying};
use crate::grpc::note::Note;
use crate::host;
use crate::meter::Flight;
use crate::page::Page;
use crate::route::{Aim, App, Choice, Tried, choose};
use crate::stream::Respond;
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

/// Passes a call on, and its answer back, for as long as the visitor wants to hear it.
pub(crate) async fn answer(
    worker: Rc<Worker>,
    peer: Rc<str>,
    open: Open,
    request: Request<RecvStream>,
    mut respond: Respond,
) {
    let response = {
        let mut calling = pin!(call(&worker, peer, request));
        poll_fn(|cx| match calling.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => respond.poll_reset(cx).map(|_| None),
        })
        .await
    };
    let Some(response) = response else { return };
    let (head, call) = response.into_parts();
    let (head, is_all) = (Response::from_parts(head, ()), call.is_end_stream());
    // Who is gone meanwhile hears nothing of it.
    let Ok(to) = respond.send_response(head, is_all) else { return };
    if is_all {
        return;
    }
    let limits = &worker.shared.limits;
    let mut saying = Saying::new(call, to, limits);
    if poll_fn(|cx| saying.poll(cx, limits)).await == End::Stalled {
        open.stalls();
    }
}

/// Passes a call on. Where no instance answers, gRPC has a way of its own to say so.
async fn call(worker: &Rc<Worker>, peer: Rc<str>, request: Request<RecvStream>) -> Response<Call> {
    let id = head::id(&request);
    let said_id = HeaderValue::from_str(id.as_str()).unwrap_or(HeaderValue::from_static("0"));
    let mut note = Note::of(worker, &request, peer.clone(), id);
    let mut response = match pass(worker, &peer, &said_id, request, &mut note).await {
        Ok(response) => response.map(Some),
        Err((page, code)) => {
            note.whole = true;
            refused(page, code)
        }
    };
    note.answered(response.status().as_u16());
    head::to_visitor(response.headers_mut(), &said_id);
    response.map(|coming| Call { coming, note })
}

async fn pass(
    worker: &Rc<Worker>,
    peer: &str,
    id: &HeaderValue,
    mut request: Request<RecvStream>,
    note: &mut Note,
) -> Result<Response<Coming>, (Page, &'static str)> {
    let table = worker.table();
    let none = (Page::NO_APP, UNAVAILABLE);
    let authority = head::authority(&request).ok_or(none)?;
    let app = table.app(&host::name(authority.as_str())).ok_or(none)?.clone();
    app.meter.earn(worker.index);
    head::to_instance(&mut request, &authority, peer, id);
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
    request: Request<RecvStream>,
    note: &mut Note,
) -> Result<Response<Coming>, (Page, &'static str)> {
    let (parts, coming) = request.into_parts();
    let (sent, asked) = Sent::new(coming);
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
        let sending = worker.channels.send(&choice.instance, request);
        let failure = match in_time(sending, &asked, app.timeout).await {
            Some(Ok((response, place))) => {
                answered(worker, &choice, (sent, at_us), response.status().as_u16());
                return Ok(response.map(|incoming| Coming {
                    incoming,
                    flight,
                    asked,
                    _place: place,
                }));
            }
            Some(Err(failure)) => failure,
            // Where the visitor has not said all of it, no instance is to blame for what comes of it.
            None if !asked.is_whole() => return Err((Page::UPLOAD_TOO_SLOW, DEADLINE_EXCEEDED)),
            None => {
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

/// What comes of sending a call; `None`: no answer came for so long since some of it was sent last.
async fn in_time<T>(work: impl Future<Output = T>, asked: &SoFar, most: Duration) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let deadline = asked.moved() + most;
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = sleep_until(deadline.into()) => {}
        }
        if asked.moved() + most <= deadline {
            return None;
        }
    }
}

fn answered(worker: &Worker, choice: &Choice, (sent, at_us): (Instant, u64), status: u16) {
    let took_us = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
    choice.instance.meter.answered(worker.index, status, at_us, took_us);
    if choice.instance.answered(sent) {
        worker.shared.taken_back(&choice.instance);
    }
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

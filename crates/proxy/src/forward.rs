//! One request, from its head to the head of its answer.

mod finish;
mod intake;

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONNECTION, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};

use crate::download::Download;
use crate::forward::intake::Intake;
use crate::headers::{self, REQUEST_ID};
use crate::page::Page;
use crate::retry::{Answered, Run};
use crate::visit::{Busy, Visit};
use crate::worker::Worker;

/// Answers the `index`-th request of a connection: by an instance, or with a page that says why
/// not.
pub(crate) async fn answer(
    worker: &Rc<Worker>,
    visit: &Visit,
    index: u64,
    request: Request<Incoming>,
) -> Response<Download> {
    let busy = Busy::new(&visit.pulse);
    let id = headers::request_id(request.headers());
    let accept = request.headers().get(ACCEPT).cloned();
    let page = match visit.pulse.refusal(index) {
        Some(refusal) => Page::refusal(refusal),
        None => match by_instance(worker, visit, request, &id).await {
            Ok(answered) => {
                let mut response = finish::finish(answered, visit, index, busy, id);
                say_if_last(worker, &mut response);
                return response;
            }
            Err(page) => {
                // Whoever asked for an upgrade did not get one; for others it means nothing.
                visit.pulse.decide_upgrade(index, false);
                page
            }
        },
    };
    let asked: HeaderMap = accept.map(|accept| (ACCEPT, accept)).into_iter().collect();
    let mut response = page.answer(&asked).map(|text| Download::Text(Some(text), busy));
    response.headers_mut().insert(REQUEST_ID, id);
    say_if_last(worker, &mut response);
    response
}

/// Tells the visitor to ask elsewhere next time, once the proxy was asked to stop.
fn say_if_last(worker: &Worker, response: &mut Response<Download>) {
    if worker.shared.stop.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The answer of an instance of the app the request is for.
async fn by_instance(
    worker: &Rc<Worker>,
    visit: &Visit,
    request: Request<Incoming>,
    id: &HeaderValue,
) -> Result<Answered, Page> {
    let table = worker.table();
    let intake = Intake::settle(request);
    let app = table.app(&intake.host()).ok_or(Page::NO_APP)?.clone();
    app.meter.earn(worker.index);
    let answered = async {
        if !app.serves() {
            return Err(Page::NO_INSTANCE);
        }
        let job = intake.job(visit, &app, &table.key, id).await?;
        // The body may have taken a while to arrive: the routes are read again.
        Run::new(worker, visit, &app)?.finish(job).await
    };
    let answered = answered.await;
    if let Err(page) = &answered {
        app.meter.refused(worker.index, page.status);
    }
    answered
}

//! One request, from its head to the last byte of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::access::Entry;
use crate::ask::Ask;
use crate::headers::{Id, Said};
use crate::page::{Form, Own, Page};
use crate::relay;
use crate::retry::{Run, Stop};
use crate::tunnel;
use crate::visitor::{After, Visitor};
use crate::worker::{Scratch, Worker};

/// What the access log says of a request whose visitor went away before it was answered.
const GONE: u16 = 499;

/// Answers a request: by an instance, or with a page that says why not.
///
/// What is rare is put apart (`Box::pin`) here and below, so that the room each request needs is small.
pub(crate) async fn exchange(
    worker: &Rc<Worker>,
    visitor: &mut Visitor,
    mut ask: Box<Ask>,
) -> After {
    let goal = match std::mem::replace(&mut ask.goal, Err(Page::NO_APP.into())) {
        Ok(goal) => goal,
        Err(own) => return Box::pin(answer(worker, visitor, ask, own)).await,
    };
    let meter = goal.app.meter.clone();
    let before = visitor.said_in_bodies();
    let (status, after, whole) =
        match Run::new(worker, &goal, ask.upload.came().0).finish(visitor, &mut ask).await {
            Ok(answered) if answered.head.status == 101 => {
                let after = Box::pin(tunnel::tunnel(worker, visitor, answered)).await;
                (101, after, after != After::Reset)
            }
            Ok(answered) => {
                let status = answered.head.status;
                let passed = relay::relay(worker, visitor, &mut ask, answered).await;
                (status, passed.after, passed.whole)
            }
            Err(Stop::Page(page)) => {
                meter.refused(worker.index, page.status);
                return Box::pin(answer(worker, visitor, ask, page.into())).await;
            }
            Err(Stop::Gone) => (GONE, After::Reset, false),
        };
    if let Some(entry) = ask.entry.take() {
        note(worker, visitor, (*entry, &ask.id), status, (before, whole));
    }
    after
}

/// Says to the access log what became of a request.
fn note(
    worker: &Worker,
    visitor: &Visitor,
    (mut entry, id): (Entry, &Id),
    status: u16,
    (before, whole): (u64, bool),
) {
    let Some(access) = &worker.shared.access else { return };
    entry.status = status;
    let bytes = visitor.said_in_bodies() - before;
    entry.ends(&visitor.peer, id, bytes, whole);
    access.say(entry);
}

/// Says that something was not let in; nothing is read behind it.
pub(crate) async fn refuse(worker: &Worker, visitor: &mut Visitor, page: Page) -> After {
    let (id, form, to_head) = (&Id::fresh(), Form::Text, false);
    let (begun, before) = (visitor.moved, visitor.said_in_bodies());
    let reply = Reply { own: page.into(), id, form, to_head, connection: Some("close") };
    let after = say(worker, visitor, reply, After::Linger).await;
    note(worker, visitor, (Entry::unread(begun), id), page.status, (before, after != After::Reset));
    after
}

/// Answers a request with something of our own.
async fn answer(worker: &Worker, visitor: &mut Visitor, mut ask: Box<Ask>, own: Own) -> After {
    let before = visitor.said_in_bodies();
    // The rest of its body would be in the way of the next request.
    let stays = ask.upload.has_come() && ask.keep_alive && !visitor.is_last(worker);
    let entry = ask.entry.take();
    let Ask { id, form, to_head, .. } = &*ask;
    let connection = ask.connection(stays);
    let status = own.status();
    let reply = Reply { own, id, form: *form, to_head: *to_head, connection };
    let after = say(worker, visitor, reply, if stays { After::Next } else { After::Linger }).await;
    if let Some(entry) = entry {
        note(worker, visitor, (*entry, id), status, (before, after != After::Reset));
    }
    after
}

/// What the proxy itself says, and how.
struct Reply<'a> {
    own: Own,
    id: &'a Id,
    form: Form,
    /// It answers a `HEAD`.
    to_head: bool,
    connection: Option<&'a str>,
}

/// Says it.
async fn say(worker: &Worker, visitor: &mut Visitor, reply: Reply<'_>, after: After) -> After {
    let mut unsaid = Some(reply);
    poll_fn(|cx| {
        if let Some(Reply { own, id, form, to_head, connection }) = unsaid.take() {
            let date = worker.dates.now();
            let told = Said { id, cookie: None, date: &date, chunked: false, connection };
            let Scratch { said, .. } = &mut *worker.scratch();
            own.write(form, to_head, told, said);
            let head = said.windows(4).position(|it| it == b"\r\n\r\n");
            visitor.said_in_heads += head.map_or(said.len(), |at| at + 4) as u64;
            // From here on it may be idle.
            visitor.moved = Instant::now();
            if visitor.say(cx, [said, &[]]).is_err() {
                return Poll::Ready(After::Reset);
            }
        }
        poll_said(cx, worker, visitor, after)
    })
    .await
}

/// Ready when everything that was said was taken in, or when it takes too long.
fn poll_said(
    cx: &mut Context<'_>,
    worker: &Worker,
    visitor: &mut Visitor,
    after: After,
) -> Poll<After> {
    match visitor.poll_flush(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(after),
        Poll::Ready(Err(_)) => Poll::Ready(After::Reset),
        Poll::Pending => {
            let Some(since) = visitor.blocked_since() else { return Poll::Pending };
            let deadline = since + worker.shared.limits.write_stall;
            visitor.watch.poll(cx, deadline).map(|()| After::Reset)
        }
    }
}

//! One request, from its head to the last byte of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::ask::Ask;
use crate::headers::{Id, Said};
use crate::page::{Form, Own, Page};
use crate::relay;
use crate::retry::{Run, Stop};
use crate::tunnel;
use crate::visitor::{After, Visitor};
use crate::worker::{Scratch, Worker};

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
        Err(own) => return Box::pin(answer(worker, visitor, &ask, own)).await,
    };
    let meter = goal.app.meter.clone();
    match Run::new(worker, &goal, ask.upload.came().0).finish(visitor, &mut ask).await {
        Ok(answered) if answered.head.status == 101 => {
            Box::pin(tunnel::tunnel(worker, visitor, answered)).await
        }
        Ok(answered) => relay::relay(worker, visitor, &mut ask, answered).await,
        Err(Stop::Page(page)) => {
            meter.refused(worker.index, page.status);
            Box::pin(answer(worker, visitor, &ask, page.into())).await
        }
        Err(Stop::Gone) => After::Reset,
    }
}

/// Says that something was not let in; nothing is read behind it.
pub(crate) async fn refuse(worker: &Worker, visitor: &mut Visitor, page: Page) -> After {
    let (id, form, to_head) = (&Id::fresh(), Form::Text, false);
    let reply = Reply { own: page.into(), id, form, to_head, connection: Some("close") };
    say(worker, visitor, reply, After::Linger).await
}

/// Answers a request with something of our own.
async fn answer(worker: &Worker, visitor: &mut Visitor, ask: &Ask, own: Own) -> After {
    // The rest of its body would be in the way of the next request.
    let stays = ask.upload.has_come() && ask.keep_alive && !visitor.is_last(worker);
    let Ask { id, form, to_head, .. } = ask;
    let connection = ask.connection(stays);
    let reply = Reply { own, id, form: *form, to_head: *to_head, connection };
    say(worker, visitor, reply, if stays { After::Next } else { After::Linger }).await
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

//! What happens, while it happens: server-sent events that follow the store's log. The id of each
//! is its revision, so that a client that lost the link goes on where it was, without a gap.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use toehold_core::model::{AppName, Event};
use tokio::sync::OwnedSemaphorePermit;

use super::Door;
use super::caller::Caller;
use super::extract::{Asked, At};
use super::problem::Unable;
use crate::control::Causes;
use crate::store::{Key, LogEntry, Rev, WatchError};

/// How often something is sent where nothing happens.
const PING: Duration = Duration::from_secs(15);

/// How often is looked whether whoever reads may still do so.
const RECHECK: Duration = Duration::from_secs(2);

/// From where a stream begins: what was last seen; what comes from now on where absent.
#[derive(Deserialize)]
pub(crate) struct After {
    after: Option<u64>,
}

pub(crate) async fn of_app(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Response, Unable> {
    door.control.view(&app).await?;
    follow(&door, caller, Some(app), after, &headers).await
}

pub(crate) async fn of_all(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Response, Unable> {
    follow(&door, caller, None, after, &headers).await
}

/// A place among the streams that may be open at once.
pub(crate) fn place(door: &Door) -> Result<OwnedSemaphorePermit, Unable> {
    door.streams.clone().try_acquire_owned().map_err(|_| {
        let title = "as many streams as may be open at once are open";
        Unable::later(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", title, 10)
    })
}

/// Sends `messages` until shutdown, and something now and then where there are none.
pub(crate) fn send<S>(door: &Door, permit: OwnedSemaphorePermit, messages: S) -> Response
where
    S: Stream<Item = Message> + Send + 'static,
{
    let shutdown = door.control.shutdown().clone();
    let messages = messages
        .map(move |message| {
            let _place = &permit;
            Ok::<_, Infallible>(message)
        })
        .take_until(shutdown.cancelled_owned());
    Sse::new(messages).keep_alive(KeepAlive::new().interval(PING)).into_response()
}

/// Until what the caller showed is good no longer: revoked, or its time is over.
async fn until_no_longer_good(door: Door, caller: Caller) {
    while caller.is_still_good(&door).await {
        tokio::time::sleep(RECHECK).await;
    }
}

async fn follow(
    door: &Door,
    caller: Caller,
    app: Option<AppName>,
    after: After,
    headers: &HeaderMap,
) -> Result<Response, Unable> {
    const LAST: HeaderName = HeaderName::from_static("last-event-id");
    let permit = place(door)?;
    let last = headers.get(LAST).and_then(|it| it.to_str().ok()?.parse().ok());
    let after = match last.or(after.after) {
        Some(rev) => Rev(rev),
        None => newest(door).await?,
    };
    let entries = door.control.store().watch(Key::EVENTS, after);
    let mut causes = Causes::default();
    let messages = entries.filter_map(move |entry| {
        let message = message(entry, app.as_ref(), &mut causes);
        async move { message }
    });
    let messages = messages.take_until(until_no_longer_good(Door::clone(door), caller));
    Ok(send(door, permit, messages))
}

/// The newest revision there is.
pub(crate) async fn newest(door: &Door) -> Result<Rev, Unable> {
    // No document lies under the key of events: only the revision is wanted.
    let listed = door.control.store().list(Key::EVENTS).await;
    let (_, rev) = listed.map_err(crate::control::ControlError::from)?;
    Ok(rev)
}

fn message(
    entry: Result<LogEntry, WatchError>,
    app: Option<&AppName>,
    causes: &mut Causes,
) -> Option<Message> {
    let entry = match entry {
        Ok(entry) => entry,
        // The client must read from the beginning what it does not know.
        Err(error) => return Some(Message::default().event("gap").data(error.to_string())),
    };
    let mut event: Event = entry.event().ok().flatten()?;
    causes.name(&mut event);
    if app.is_some() && event.app.as_ref() != app {
        return None;
    }
    let data = serde_json::to_string(&event).ok()?;
    Some(Message::default().id(event.rev.to_string()).event(event.kind.as_str()).data(data))
}

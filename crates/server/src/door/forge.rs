//! What a forge calls with: no token, a signature over the body.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use toehold_core::model::AppName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Door;
use super::extract::{At, whole};
use super::problem::Unable;
use crate::control::{Received, WebhookError};
use crate::source::webhook::{Forge, MAX_BODY_BYTES};

/// What a body may be long, in bytes, without being counted: all but very few are shorter.
const SMALL: usize = 256 * 1024;

/// How many bytes of longer bodies there may be at once. Whoever they come from is not known until
/// they were read.
const ROOM: usize = 64 * 1024 * 1024;

/// The piece in which room is counted, in bytes.
const PIECE: usize = 64 * 1024;

/// Room for long bodies.
pub(crate) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(ROOM / PIECE))
}

pub(crate) async fn github(door: State<Door>, app: At<AppName>, request: Request) -> Answer {
    take_in(Forge::Github, door, app, request).await
}

pub(crate) async fn gitlab(door: State<Door>, app: At<AppName>, request: Request) -> Answer {
    take_in(Forge::Gitlab, door, app, request).await
}

pub(crate) async fn gitea(door: State<Door>, app: At<AppName>, request: Request) -> Answer {
    take_in(Forge::Gitea, door, app, request).await
}

pub(crate) async fn forgejo(door: State<Door>, app: At<AppName>, request: Request) -> Answer {
    take_in(Forge::Forgejo, door, app, request).await
}

pub(crate) async fn bitbucket(door: State<Door>, app: At<AppName>, request: Request) -> Answer {
    take_in(Forge::Bitbucket, door, app, request).await
}

/// Some forges can be told to deliver by GET, and people look whether the address is there.
pub(crate) async fn not_by_get(uri: Uri) -> Unable {
    let path: String = uri.path().chars().take(200).collect();
    let title = format!("nothing was taken in: a forge delivers to {path} by POST");
    Unable::new(StatusCode::METHOD_NOT_ALLOWED, "post_only", title)
        .hint("choose POST as the method of the webhook at the forge")
        .header(ALLOW, HeaderValue::from_static("POST"))
}

type Answer = Result<(StatusCode, Json<Received>), Unable>;

async fn take_in(
    forge: Forge,
    State(door): State<Door>,
    At(app): At<AppName>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let _room = place(&door, &parts.headers)?;
    let body = whole(&parts.headers, body, MAX_BODY_BYTES).await?;
    let received = door.control.webhook(forge, &app, &parts.headers, body).await;
    // Which app it names is anybody's word, and so no label.
    if let Err(WebhookError::Refused(_)) = &received {
        door.control.metrics().tally.webhook_refused();
    }
    let received = received?;
    let status = match &received {
        Received::Queued { .. } => StatusCode::ACCEPTED,
        Received::Ignored { .. } => StatusCode::OK,
    };
    Ok((status, Json(received)))
}

/// A place for a body, held while it is in memory. Nobody waits for one: the forge comes again, or
/// the poll finds what was pushed.
fn place(door: &Door, headers: &HeaderMap) -> Result<Option<OwnedSemaphorePermit>, Unable> {
    let said = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    let length = said.unwrap_or(MAX_BODY_BYTES);
    if length <= SMALL || length > MAX_BODY_BYTES {
        return Ok(None);
    }
    let pieces = u32::try_from(length.div_ceil(PIECE)).unwrap_or(u32::MAX);
    Arc::clone(&door.bodies).try_acquire_many_owned(pieces).map(Some).map_err(|_| {
        let title = "other long deliveries are being read: deliver it again";
        Unable::later(StatusCode::SERVICE_UNAVAILABLE, "busy", title, 5)
    })
}

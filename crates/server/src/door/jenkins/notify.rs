//! What Jenkins' Notification plugin posts: a team that keeps its jobs lets Toehold deploy what
//! they passed.

use axum::Json;
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use toehold_core::jenkins::Notification;
use toehold_core::model::{AppName, Track};

use crate::control::{Deployed, Notified};
use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{Asked, Raw};
use crate::door::origin::meant;
use crate::door::problem::Unable;
use crate::door::routes::Need;

/// Which app, where the token does not say it, and where its commits go.
#[derive(Deserialize)]
pub(crate) struct Which {
    app: Option<AppName>,
    track: Option<Track>,
}

pub(crate) async fn take(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(Which { app, track }): Asked<Which>,
    request: Request,
) -> Result<(StatusCode, Json<Notified>), Unable> {
    let Raw(body) = Raw::from_request(request, &()).await?;
    let app = meant(&door, &caller, Need::Deploy, app).await?;
    let said: Notification = serde_json::from_slice(&body).map_err(|error| {
        let why = format!("this is not what the Notification plugin says as JSON: {error}");
        Unable::bad_request("body_unreadable", why)
    })?;
    let notified = door.control.jenkins_says(&app, track, &said, caller.actor()).await?;
    let status = match &notified {
        Notified::Taken(Deployed::Queued(_)) => StatusCode::ACCEPTED,
        Notified::Taken(Deployed::Done(_)) | Notified::Ignored { .. } => StatusCode::OK,
    };
    Ok((status, Json(notified)))
}

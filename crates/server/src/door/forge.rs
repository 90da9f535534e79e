//! What a forge calls with: no token, a signature over the body.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use toehold_core::model::AppName;

use super::Door;
use super::extract::{At, whole};
use super::problem::Unable;
use crate::control::Received;
use crate::source::webhook::MAX_BODY_BYTES;

pub(crate) async fn github(
    State(door): State<Door>,
    At(app): At<AppName>,
    request: Request,
) -> Result<(StatusCode, Json<Received>), Unable> {
    let (parts, body) = request.into_parts();
    let body = whole(&parts.headers, body, MAX_BODY_BYTES).await?;
    let received = door.control.webhook(&app, &parts.headers, &body).await?;
    let status = match &received {
        Received::Queued { .. } => StatusCode::ACCEPTED,
        Received::Ignored { .. } => StatusCode::OK,
    };
    Ok((status, Json(received)))
}

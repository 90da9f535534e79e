//! Builds.

use axum::Json;
use axum::extract::{Extension, State};
use serde::Deserialize;
use toehold_core::model::{AppName, Build, Number};
use toehold_core::wire::api::Done;

use crate::control::LogChunk;
use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{Asked, At};
use crate::door::problem::Unable;

/// From where a log is read.
#[derive(Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    from: u64,
}

pub(crate) async fn list(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<Vec<Build>>, Unable> {
    // An app that is not there has no empty list of builds.
    door.control.view(&app).await?;
    Ok(Json(door.control.builds(&app).await?))
}

pub(crate) async fn one(
    State(door): State<Door>,
    At((app, number)): At<(AppName, Number)>,
) -> Result<Json<Build>, Unable> {
    Ok(Json(door.control.build(&app, number).await?))
}

pub(crate) async fn log(
    State(door): State<Door>,
    At((app, number)): At<(AppName, Number)>,
    Asked(From { from }): Asked<From>,
) -> Result<Json<LogChunk>, Unable> {
    Ok(Json(door.control.build_log(&app, number, from).await?))
}

pub(crate) async fn cancel(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, number)): At<(AppName, Number)>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.cancel(&app, number, caller.actor()).await?))
}

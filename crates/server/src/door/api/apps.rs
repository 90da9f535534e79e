//! Apps: what they are and what is wished of them.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use serde::Deserialize;
use toehold_core::model::AppName;
use toehold_core::wire::api::{AppView, DeployRequest, Done, LookView, ReleaseView};
use toehold_core::wish::Wish;

use crate::control::{Deployed, HeldPush, Pushed};
use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{At, Sent};
use crate::door::problem::Unable;

/// `POST /api/v1/apps`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApp {
    name: AppName,
}

/// `POST /api/v1/apps/{app}/push`: what git told the hook.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Push {
    lines: Vec<String>,
    /// Where the push waits for the verdict.
    #[serde(default)]
    waiting: Option<HeldPush>,
    /// Who pushed, where that is another than whose process the hook is.
    #[serde(default)]
    by: Option<String>,
}

pub(crate) async fn list(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
) -> Json<Vec<AppName>> {
    Json(seen_by(&door, &caller).await)
}

/// The apps somebody may see.
pub(crate) async fn seen_by(door: &Door, caller: &Caller) -> Vec<AppName> {
    let mut names = door.control.app_names().await;
    names.retain(|app| caller.may_look(app));
    names
}

pub(crate) async fn create(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Sent(new): Sent<NewApp>,
) -> Result<(StatusCode, Json<Done>), Unable> {
    let done = door.control.create_app(&new.name, caller.actor()).await?;
    let status = if done.event.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(done)))
}

pub(crate) async fn view(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<AppView>, Unable> {
    Ok(Json(door.control.view(&app).await?))
}

/// How to look at the canary before anyone else.
pub(crate) async fn look(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<LookView>, Unable> {
    Ok(Json(door.control.way_to_canary(&app).await?))
}

pub(crate) async fn wish(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Sent(wish): Sent<Wish>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.wish(&app, &wish, caller.actor()).await?))
}

pub(crate) async fn deploy(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Sent(request): Sent<DeployRequest>,
) -> Result<(StatusCode, Json<Deployed>), Unable> {
    Ok(answer(door.control.deploy(&app, &request, caller.actor()).await?))
}

/// What is only queued is accepted, not done.
pub(crate) fn answer(deployed: Deployed) -> (StatusCode, Json<Deployed>) {
    let status = match &deployed {
        Deployed::Queued(_) => StatusCode::ACCEPTED,
        Deployed::Done(_) => StatusCode::OK,
    };
    (status, Json(deployed))
}

pub(crate) async fn push(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Sent(push): Sent<Push>,
) -> Result<Json<Pushed>, Unable> {
    let lines = push.lines.join("\n");
    let actor = push.by.as_deref().unwrap_or_else(|| caller.actor());
    let pushed = door.control.push(&app, &lines, push.waiting.as_ref(), actor).await?;
    Ok(Json(pushed))
}

pub(crate) async fn releases(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<Vec<ReleaseView>>, Unable> {
    Ok(Json(door.control.releases(&app).await?))
}

//! Flags.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use toehold_core::flag::{Flag, FlagKey, FlagSet};
use toehold_core::model::AppName;
use toehold_core::wire::api::Done;

use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{At, Sent};
use crate::door::problem::Unable;

/// The value a flag is set to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagValue {
    value: bool,
}

pub(crate) async fn all(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Response, Unable> {
    // The set is shared with everyone who reads it: it is written out as it lies there.
    Ok(Json(set_of(&door, &app).await?.as_ref()).into_response())
}

pub(crate) async fn one(
    State(door): State<Door>,
    At((app, key)): At<(AppName, String)>,
) -> Result<Json<Flag>, Unable> {
    let key = readable(&key)?;
    let set = set_of(&door, &app).await?;
    set.flags.get(&key).cloned().map(Json).ok_or_else(|| not_found(&app, &key))
}

pub(crate) async fn set(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, key)): At<(AppName, String)>,
    Sent(FlagValue { value }): Sent<FlagValue>,
) -> Result<Json<Done>, Unable> {
    turn(&door, &app, &key, Some(value), &caller).await.map(Json)
}

/// The path is the key and `/toggle`: a key may have slashes in it.
pub(crate) async fn toggle(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, rest)): At<(AppName, String)>,
) -> Result<Json<Done>, Unable> {
    let key = rest.strip_suffix("/toggle").ok_or_else(|| {
        let title = "a flag is turned over by POST to its key and /toggle";
        Unable::bad_request("flag_unreadable", title)
    })?;
    turn(&door, &app, key, None, &caller).await.map(Json)
}

/// Sets a flag, or turns it over where no value is given.
pub(crate) async fn turn(
    door: &Door,
    app: &AppName,
    key: &str,
    value: Option<bool>,
    caller: &Caller,
) -> Result<Done, Unable> {
    door.control.view(app).await?;
    let key = readable(key)?;
    let flags = door.control.flags();
    let changed = match value {
        Some(value) => flags.set(app, &key, value, caller.actor()).await,
        None => flags.toggle(app, &key, caller.actor()).await,
    }?;
    let now = if changed.flag.value { "on" } else { "off" };
    let text = match changed.event {
        Some(_) => format!("{key} is {now}"),
        None => format!("{key} is {now} already"),
    };
    Ok(Done { text, event: changed.event.map(|rev| rev.0) })
}

/// The flags of an app that is there.
pub(crate) async fn set_of(door: &Door, app: &AppName) -> Result<Arc<FlagSet>, Unable> {
    door.control.view(app).await?;
    Ok(door.control.flags().of(app))
}

fn readable(key: &str) -> Result<FlagKey, Unable> {
    key.parse().map_err(|error| Unable::bad_request("flag_unreadable", format!("{error}")))
}

fn not_found(app: &AppName, key: &FlagKey) -> Unable {
    let title = format!("{app} has no flag {key}");
    Unable::new(axum::http::StatusCode::NOT_FOUND, "flag_not_found", title).hint("toehold flags ls")
}

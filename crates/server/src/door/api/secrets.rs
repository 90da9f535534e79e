//! Secrets of an app: names come out, values only go in.

use axum::Json;
use axum::extract::{Extension, State};
use serde::Deserialize;
use toehold_core::model::AppName;
use toehold_core::wire::api::Done;

use crate::door::Door;
use crate::door::caller::Caller;
use crate::door::extract::{At, Sent};
use crate::door::problem::Unable;
use crate::secret::Secret;

/// The value of a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretValue {
    value: Secret,
}

pub(crate) async fn names(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<Vec<String>>, Unable> {
    Ok(Json(door.control.secret_names(&app).await?))
}

pub(crate) async fn set(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, name)): At<(AppName, String)>,
    Sent(SecretValue { value }): Sent<SecretValue>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.set_secret(&app, &name, &value, caller.actor()).await?))
}

pub(crate) async fn remove(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, name)): At<(AppName, String)>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.remove_secret(&app, &name, caller.actor()).await?))
}

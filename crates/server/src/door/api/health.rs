//! Whether all is well.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::control::Finding;
use crate::door::Door;

/// The version that runs.
#[derive(Serialize)]
pub(crate) struct Version {
    version: &'static str,
}

pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

pub(crate) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION") })
}

pub(crate) async fn health(State(door): State<Door>) -> Json<Vec<Finding>> {
    Json(door.control.health().await)
}

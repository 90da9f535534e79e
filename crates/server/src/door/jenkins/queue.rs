//! Builds that were asked for and wait. An item's id is the revision of the event that asked: it
//! is never used twice, and leads to the build without anything being kept for it.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use toehold_core::model::BuildPhase;

use super::shape::queue_item;
use super::{Root, seen_by};
use crate::door::Door;
use crate::door::caller::{Caller, Peer};
use crate::door::extract::At;
use crate::door::problem::Unable;

pub(crate) async fn item(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    At(id): At<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Unable> {
    let found = door.control.build_asked_by(id).await?;
    // Whose app it is, is not for everyone: what may not be seen is not there.
    let Some(build) = found.filter(|build| caller.may_look(&build.app)) else {
        let title = format!("there is no item {id} in the queue");
        return Err(Unable::new(StatusCode::NOT_FOUND, "queue_item_not_found", title));
    };
    let root = Root::of(&door, peer, &headers);
    Ok(Json(queue_item(&build, id, &root.0, &root.job(&build.app))))
}

pub(crate) async fn waiting(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Json<Value>, Unable> {
    let root = Root::of(&door, peer, &headers);
    let mut items = Vec::new();
    for app in seen_by(&door, &caller).await {
        for build in door.control.builds(&app).await? {
            if let (BuildPhase::Queued, Some(id)) = (&build.phase, build.cause) {
                items.push(queue_item(&build, id, &root.0, &root.job(&app)));
            }
        }
    }
    Ok(Json(json!({ "_class": "hudson.model.Queue", "items": items })))
}

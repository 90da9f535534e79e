//! The part of Jenkins' own API that its clients use, below `/jenkins`, so that a script that drove
//! Jenkins drives Toehold: a job is an app, a build is a build. The token is the password.

pub(crate) mod build;
pub(crate) mod invoke;
pub(crate) mod notify;
pub(crate) mod queue;
mod shape;
pub(crate) mod trigger;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{Redirect, Response};
use serde_json::{Value, json};
use toehold_core::model::AppName;

use super::Door;
use super::api::apps::seen_by;
use super::caller::{Caller, Peer};
use super::extract::At;
use super::problem::Unable;
use super::reached::base;
use shape::{Job, color};

/// The version of Jenkins whose API this is like.
const LIKE: HeaderValue = HeaderValue::from_static("2.479");

/// What tells a client that Jenkins answers.
const X_JENKINS: HeaderName = HeaderName::from_static("x-jenkins");

/// Where it is, as the client reached it: its answers lead back the same way.
pub(crate) struct Root(String);

impl Root {
    fn of(door: &Door, peer: Peer, headers: &HeaderMap) -> Self {
        Self(format!("{}/jenkins/", base(peer, headers, door.control.settings().api)))
    }

    fn job(&self, app: &AppName) -> String {
        format!("{}job/{app}/", self.0)
    }
}

/// What every answer below `/jenkins` says.
pub(crate) fn sign(response: &mut Response) {
    response.headers_mut().insert(X_JENKINS, LIKE);
}

pub(crate) async fn root() -> &'static str {
    "Toehold speaks like Jenkins here: a job is an app, a user's password is a token.\n"
}

pub(crate) async fn to_app(At(app): At<AppName>) -> Redirect {
    Redirect::to(&format!("/apps/{app}"))
}

pub(crate) async fn me(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Json<Value> {
    let Root(root) = Root::of(&door, peer, &headers);
    let name = caller.actor();
    Json(json!({
        "_class": "hudson.model.User",
        "absoluteUrl": format!("{root}me"),
        "description": null,
        "fullName": name,
        "id": name,
        "property": [],
    }))
}

pub(crate) async fn jobs(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Json<Value>, Unable> {
    let root = Root::of(&door, peer, &headers);
    let mut jobs = Vec::new();
    for app in seen_by(&door, &caller).await {
        let color = color(&door.control.builds(&app).await?);
        jobs.push(json!({
            "_class": shape::PROJECT, "name": app, "url": root.job(&app), "color": color,
        }));
    }
    let url = root.0;
    let all = json!({ "_class": "hudson.model.AllView", "name": "all", "url": url });
    Ok(Json(json!({
        "_class": "hudson.model.Hudson",
        "mode": "NORMAL",
        "nodeDescription": "Toehold",
        "nodeName": "",
        "description": null,
        "jobs": jobs,
        "primaryView": all,
        "views": [all],
        "quietingDown": false,
        "url": url,
        "useCrumbs": false,
        "useSecurity": true,
    })))
}

pub(crate) async fn job(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    At(app): At<AppName>,
    headers: HeaderMap,
) -> Result<Json<Value>, Unable> {
    // An app that is not there is no job without builds.
    door.control.view(&app).await?;
    let builds = door.control.builds(&app).await?;
    let url = Root::of(&door, peer, &headers).job(&app);
    Ok(Json(Job { app: &app, url: &url, builds: &builds }.value()))
}

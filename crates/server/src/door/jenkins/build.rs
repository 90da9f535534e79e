//! A build, what it said and its tests.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use toehold_core::model::{AppName, Build, Number};

use super::{Root, shape};
use crate::door::Door;
use crate::door::caller::{Caller, Peer};
use crate::door::extract::{Asked, At};
use crate::door::problem::Unable;

/// Where the rest of a log begins.
const X_TEXT_SIZE: HeaderName = HeaderName::from_static("x-text-size");

/// Whether there is a rest.
const X_MORE_DATA: HeaderName = HeaderName::from_static("x-more-data");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=utf-8");

/// From where a log is read.
#[derive(Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    start: u64,
}

/// The build that is meant by its number, or as `lastBuild`.
async fn named(door: &Door, app: &AppName, name: &str) -> Result<Build, Unable> {
    door.control.view(app).await?;
    let builds = door.control.builds(app).await?;
    shape::find(&builds, name).cloned().ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        let title = format!("{app} has no build {name:?}");
        Unable::new(StatusCode::NOT_FOUND, "build_not_found", title).hint("toehold releases")
    })
}

pub(crate) async fn to_page(At((app, build)): At<(AppName, Number)>) -> Redirect {
    Redirect::to(&format!("/apps/{app}/builds/{}", build.0))
}

pub(crate) async fn one(
    State(door): State<Door>,
    Extension(peer): Extension<Peer>,
    At((app, name)): At<(AppName, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Unable> {
    let build = named(&door, &app, &name).await?;
    let job = Root::of(&door, peer, &headers).job(&app);
    Ok(Json(shape::build(&build, &job, door.control.clock().now())))
}

/// The whole log, as it is at this moment: a piece is read once the one before it was taken.
pub(crate) async fn console(
    State(door): State<Door>,
    At((app, name)): At<(AppName, String)>,
) -> Result<Response, Unable> {
    let number = named(&door, &app, &name).await?.number;
    let pieces = stream::unfold(Some(0), move |from| {
        let (door, app) = (Door::clone(&door), app.clone());
        async move {
            let from = from?;
            match door.control.build_log(&app, number, from).await {
                Ok(piece) if piece.text.is_empty() => None,
                Ok(piece) => {
                    let rest = (!piece.ended).then_some(piece.next);
                    Some((Ok(Bytes::from(piece.text)), rest))
                }
                // What was sent so far must not be taken for the whole.
                Err(error) => Some((Err(std::io::Error::other(error)), None)),
            }
        }
    });
    Ok(([(CONTENT_TYPE, TEXT)], Body::from_stream(pieces)).into_response())
}

pub(crate) async fn progressive(
    State(door): State<Door>,
    At((app, name)): At<(AppName, String)>,
    Asked(From { start }): Asked<From>,
) -> Result<Response, Unable> {
    let number = named(&door, &app, &name).await?.number;
    let piece = door.control.build_log(&app, number, start).await?;
    let mut response = ([(CONTENT_TYPE, TEXT)], piece.text).into_response();
    response.headers_mut().insert(X_TEXT_SIZE, HeaderValue::from(piece.next));
    if !piece.ended {
        response.headers_mut().insert(X_MORE_DATA, HeaderValue::from_static("true"));
    }
    Ok(response)
}

pub(crate) async fn tests(
    State(door): State<Door>,
    At((app, name)): At<(AppName, String)>,
) -> Result<Json<Value>, Unable> {
    let build = named(&door, &app, &name).await?;
    let Some((counts, step)) = shape::tests(&build) else {
        let title = format!("build {} of {app} has no counted tests", build.number);
        return Err(Unable::new(StatusCode::NOT_FOUND, "no_tests", title));
    };
    Ok(Json(shape::test_report(counts, step)))
}

pub(crate) async fn stop(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, name)): At<(AppName, String)>,
) -> Result<StatusCode, Unable> {
    let number = named(&door, &app, &name).await?.number;
    door.control.cancel(&app, number, caller.actor()).await?;
    Ok(StatusCode::OK)
}

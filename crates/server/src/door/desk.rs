//! The dashboard: what pages are made of, and what their forms do.

mod deeds;
mod entrance;
mod live;
mod load;

use axum::extract::{Extension, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use serde::Deserialize;
use toehold_core::model::{AppName, Number};
use toehold_core::wire::agent::LogFrom;
use toehold_core::wire::api::Problem;

use super::Door;
use super::api::apps::seen_by;
use super::api::events::asked_about;
use super::api::instances::named;
use super::assets;
use super::caller::Caller;
use super::extract::{Asked, At};
use super::pages::app::Said;
use super::pages::build::BuildPage;
use super::pages::{self, words};
use super::problem::Unable;

pub(crate) use deeds::{cancel, flag, wish};
pub(crate) use entrance::{enter, leave, login};
pub(crate) use live::live;

/// How much of a log a page begins with, in bytes.
const LOG: u64 = 128 * 1024;

/// What is asked about.
#[derive(Deserialize)]
pub(crate) struct Of {
    of: String,
}

/// Every app; where there is only one, that one.
pub(crate) async fn apps(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Unable> {
    let names = seen_by(&door, &caller).await;
    if let [only] = names.as_slice() {
        return Ok(Redirect::to(&format!("/apps/{only}")).into_response());
    }
    let mut views = Vec::with_capacity(names.len());
    for name in names {
        views.push(door.control.view(&name).await?);
    }
    let viewer = load::viewer(&caller, None);
    let now = door.control.clock().now();
    Ok(pages::apps::page(&views, &viewer, now, &assets::addresses()).into_response())
}

pub(crate) async fn app(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
) -> Result<Markup, Unable> {
    let mut page = load::page(&door, &caller, &app).await?;
    page.said = load::said(&door, &page.view).await;
    Ok(page.page(&assets::addresses()))
}

pub(crate) async fn build(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, number)): At<(AppName, Number)>,
) -> Result<Markup, Unable> {
    let build = door.control.build(&app, number).await?;
    let log = door.control.build_log(&app, number, 0).await?;
    let viewer = load::viewer(&caller, Some(&app));
    let now = door.control.clock().now();
    let page = BuildPage { build, text: log.text, next: log.next, viewer, now };
    Ok(page.page(&assets::addresses()))
}

pub(crate) async fn log(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At((app, instance)): At<(AppName, String)>,
) -> Result<Markup, Unable> {
    let id = named(app, &instance)?;
    let piece = door.control.instance_log(&id, LogFrom::Tail(LOG), LOG).await?;
    let said = Said { by: id.short(), text: piece.text, next: piece.end };
    let viewer = load::viewer(&caller, Some(id.app()));
    Ok(pages::log::page(&id, &said, &viewer, &assets::addresses()))
}

pub(crate) async fn why(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(app): At<AppName>,
    Asked(Of { of }): Asked<Of>,
) -> Result<Markup, Unable> {
    let subject = asked_about(&door, &app, &of).await?;
    let chain = door.control.why(&app, &subject).await?;
    let chain: Vec<_> = chain.into_iter().map(|link| (link.event, link.about_it)).collect();
    let viewer = load::viewer(&caller, Some(&app));
    let now = door.control.clock().now();
    Ok(pages::why::page(&app, &subject, &chain, &viewer, now, &assets::addresses()))
}

/// A problem as people see it: the way to log in where that is what lacks, else a page that says
/// it. Anything else stays as it is.
pub(crate) fn as_page(
    door: &Door,
    response: Response,
    path: &str,
    caller: Option<&Caller>,
) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    if response.status() == StatusCode::UNAUTHORIZED && caller.is_none() {
        return Redirect::to(&format!("/login?next={}", words::in_address(path))).into_response();
    }
    let viewer = caller.map(|caller| load::viewer(caller, None));
    let back = back_from(path);
    let page = pages::refused::page(problem, viewer.as_ref(), &back, &assets::addresses());
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let status = response.status();
    // The path of a link is the right to use it.
    let path = if path.starts_with("/act/") { "/act/…" } else { path };
    tracing::debug!(page = path, code = problem.code, door = ?door.local, "a page was refused");
    (status, [(CONTENT_TYPE, html)], page.0).into_response()
}

/// The app's page, from anything below it.
fn back_from(path: &str) -> String {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next()) {
        (Some("apps"), Some(app)) => format!("/apps/{app}"),
        _ => "/".to_owned(),
    }
}

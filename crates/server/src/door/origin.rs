//! The calls of older set-ups: a job's `curl -X POST …/deploy` works unchanged but for a token.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use toehold_core::model::{AppName, Track};
use toehold_core::wire::api::{DeployRequest, Done};

use super::Door;
use super::api::{apps, flags};
use super::caller::Caller;
use super::extract::Asked;
use super::problem::Unable;
use super::routes::Need;
use crate::control::Deployed;
use crate::secret::{Apps, Scope};

/// The flag that `/feature` turns over.
const FEATURE: &str = "feature1";

/// Which app is meant, where the token does not say it.
#[derive(Deserialize)]
pub(crate) struct Which {
    app: Option<AppName>,
}

pub(crate) async fn deploy(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Deployed>), Unable> {
    of_track(&door, &caller, which, &headers, Track::Stable).await
}

pub(crate) async fn canary(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Deployed>), Unable> {
    of_track(&door, &caller, which, &headers, Track::Canary).await
}

async fn of_track(
    door: &Door,
    caller: &Caller,
    which: Which,
    headers: &HeaderMap,
    track: Track,
) -> Result<(StatusCode, Json<Deployed>), Unable> {
    let app = meant(door, caller, Need::Deploy, named(which, headers)?).await?;
    let request = DeployRequest { track: Some(track), ..DeployRequest::default() };
    Ok(apps::answer(door.control.deploy(&app, &request, caller.actor()).await?))
}

pub(crate) async fn feature(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
) -> Result<Json<Done>, Unable> {
    let app = meant(&door, &caller, Need::Flag, named(which, &headers)?).await?;
    flags::turn(&door, &app, FEATURE, None, &caller).await.map(Json)
}

/// Whoever only looks changes nothing: a crawler, a link in a chat, a browser that fetches ahead.
pub(crate) async fn not_by_get(uri: Uri) -> Unable {
    let path = uri.path();
    let title = format!("nothing was changed: {path} is asked for by POST");
    Unable::new(StatusCode::METHOD_NOT_ALLOWED, "post_only", title)
        .hint(format!("curl -X POST -H \"Authorization: Bearer $TOKEN\" http://HOST:7077{path}"))
        .header(ALLOW, HeaderValue::from_static("POST"))
}

/// `?app=NAME`, or the header `X-Toehold-App`.
pub(crate) fn named(which: Which, headers: &HeaderMap) -> Result<Option<AppName>, Unable> {
    const APP: HeaderName = HeaderName::from_static("x-toehold-app");
    let header = headers.get(APP).map(|value| value.to_str().unwrap_or_default().parse());
    match (which.app, header) {
        (Some(app), _) | (None, Some(Ok(app))) => Ok(Some(app)),
        (None, Some(Err(error))) => Err(Unable::bad_request("app_unreadable", error.to_string())),
        (None, None) => Ok(None),
    }
}

/// The app that is meant: the one that is named, else the only one the token is for, else the only
/// one there is.
pub(crate) async fn meant(
    door: &Door,
    caller: &Caller,
    need: Need,
    named: Option<AppName>,
) -> Result<AppName, Unable> {
    let app = match named {
        Some(app) => app,
        None => the_only_one(door, caller, need).await?,
    };
    let may = match need {
        Need::SomeEvaluate => caller.principal.may(&Scope::Evaluate(Apps::One(app.clone()))),
        need => need.is_met(&caller.principal, Some(&app)),
    };
    if may {
        return Ok(app);
    }
    let needed = need.in_words(Some(&app));
    let title = format!("{:?} may not do this: it needs the scope {needed}", caller.actor());
    Err(Unable::new(StatusCode::FORBIDDEN, "scope_missing", title)
        .hint(format!("toehold tokens create NAME --scope {needed}")))
}

async fn the_only_one(door: &Door, caller: &Caller, need: Need) -> Result<AppName, Unable> {
    let of_need = |scope: &Scope| match (need, scope) {
        (Need::Deploy, Scope::Deploy(Apps::One(app)))
        | (Need::Flag, Scope::Flag(Apps::One(app)))
        | (Need::SomeEvaluate, Scope::Evaluate(Apps::One(app)) | Scope::Flag(Apps::One(app))) => {
            Some(app.clone())
        }
        _ => None,
    };
    let mut apps: Vec<AppName> = caller.principal.scopes.iter().filter_map(of_need).collect();
    if apps.is_empty() {
        apps = door.control.app_names().await;
    }
    apps.sort();
    apps.dedup();
    match <[AppName; 1]>::try_from(apps) {
        Ok([app]) => Ok(app),
        Err(_) => Err(Unable::bad_request("app_not_named", "which app is meant is not said")
            .hint("add ?app=NAME to the address")),
    }
}

//! Git over HTTP: `git push https://…/git/shop.git`, with a token as the password.

mod voice;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;
use std::sync::Arc;
use toehold_core::model::AppName;
use toehold_core::tell::chain;
use tokio::sync::Semaphore;

use super::Door;
use super::caller::Caller;
use super::extract::At;
use super::problem::Unable;
use crate::source::service::{self, HttpRequest, Limits, Service};

pub(crate) use voice::as_text;

/// How long a push may take until git begins to answer: a large one comes over a slow line.
pub(crate) const PATIENCE: Duration = Duration::from_hours(2);

/// How many pushes and fetches may go on at once.
const AT_ONCE: usize = 32;

/// How long a client may send nothing.
const IDLE: Duration = Duration::from_mins(1);

/// The largest push, in bytes: a little more than git itself takes, which says it better.
const PUSH_BYTES: u64 = 2 * 1024 * 1024 * 1024 + 64 * 1024 * 1024;

/// The largest question of a fetch, in bytes.
const FETCH_BYTES: u64 = 64 * 1024 * 1024;

/// The version of git's protocol that a client would speak.
const PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// Room for pushes and fetches.
pub(crate) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// `shop.git`, or `shop`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RepositoryName(pub(crate) AppName);

impl TryFrom<String> for RepositoryName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_suffix(".git").unwrap_or(&text);
        name.parse().map(Self).map_err(|_| format!("no app is called {name:?}"))
    }
}

pub(crate) async fn refs(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(RepositoryName(app)): At<RepositoryName>,
    request: Request,
) -> Result<Response, Unable> {
    let asked = request.uri().query().and_then(|it| it.strip_prefix("service="));
    let Some(service) = asked.and_then(Service::named) else {
        let title = "only git's smart protocol is spoken here: update git";
        return Err(Unable::new(StatusCode::FORBIDDEN, "dumb_protocol", title));
    };
    if service == Service::Push && !caller.may_deploy(&app) {
        let title = format!("{:?} may not push: it needs the scope deploy:{app}", caller.actor());
        return Err(Unable::new(StatusCode::FORBIDDEN, "scope_missing", title));
    }
    answer(&door, &caller, &app, "info/refs", (service, request)).await
}

pub(crate) async fn push(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(RepositoryName(app)): At<RepositoryName>,
    request: Request,
) -> Result<Response, Unable> {
    answer(&door, &caller, &app, "git-receive-pack", (Service::Push, request)).await
}

pub(crate) async fn fetch(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(RepositoryName(app)): At<RepositoryName>,
    request: Request,
) -> Result<Response, Unable> {
    answer(&door, &caller, &app, "git-upload-pack", (Service::Fetch, request)).await
}

async fn answer(
    door: &Door,
    caller: &Caller,
    app: &AppName,
    what: &str,
    (service, request): (Service, Request),
) -> Result<Response, Unable> {
    let repositories = door.control.layout().repositories();
    if !door.control.app_names().await.contains(app) {
        return Err(crate::control::ControlError::NoApp(app.clone()).into());
    }
    let place = Arc::clone(&door.pushes).try_acquire_owned().map_err(|_| {
        let title = "too many pushes and fetches go on at once: try again";
        Unable::later(StatusCode::SERVICE_UNAVAILABLE, "busy", title, 5)
    })?;
    let (parts, body) = request.into_parts();
    let said = |name: &HeaderName| parts.headers.get(name).and_then(|it| it.to_str().ok());
    let content_type = said(&CONTENT_TYPE).unwrap_or_default();
    // What no page of another site can send without asking first.
    if parts.method == Method::POST
        && content_type != format!("application/x-{}-request", service.as_str())
    {
        let title = "this is for git alone";
        return Err(Unable::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_git", title));
    }
    let content_encoding = said(&CONTENT_ENCODING).unwrap_or_default();
    if !matches!(content_encoding, "" | "gzip" | "x-gzip") {
        let title = "a body may be packed by gzip and in no other way";
        return Err(Unable::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_gzip", title));
    }
    let command = service::over_http(&HttpRequest {
        repositories: &repositories,
        path: &format!("/{app}.git/{what}"),
        method: parts.method.as_str(),
        query: &if what == "info/refs" {
            format!("service={}", service.as_str())
        } else {
            String::new()
        },
        content_type,
        content_encoding,
        protocol: said(&PROTOCOL),
        who: caller.actor(),
    });
    let bytes = if service == Service::Push { PUSH_BYTES } else { FETCH_BYTES };
    let limits = Limits { bytes, idle: IDLE };
    let reply = service::serve(command, body.into_data_stream(), limits, place).await;
    let reply =
        reply.map_err(|error| Unable::new(StatusCode::BAD_GATEWAY, "git_failed", chain(&error)))?;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let pieces = stream::unfold(reply.output, |mut output| async {
        output.next().await.map(|piece| (Ok::<_, std::convert::Infallible>(piece), output))
    });
    response
        .body(Body::from_stream(pieces))
        .map_err(|error| Unable::new(StatusCode::BAD_GATEWAY, "git_failed", error.to_string()))
}

/// How a client is asked for a token.
pub(crate) const CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"toehold\", charset=\"UTF-8\"");

//! The door: API and dashboard, to the owner of the state folder over a Unix socket and to whoever
//! has a token or a session over TCP. Who comes in is decided in one place, from one table.

mod access;
mod act;
mod alertmanager;
mod api;
mod assets;
mod caller;
mod desk;
mod extract;
mod forge;
mod git;
mod jenkins;
mod metrics;
mod need;
mod ofrep;
mod openapi;
mod origin;
mod owner;
mod pages;
mod problem;
mod reached;
mod routes;
mod serve;
mod stream;
mod subject;
mod throttle;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::control::Control;
use problem::Unable;
use throttle::Throttle;

pub use routes::{Need, ROUTES, Route, Voice};
pub use serve::{ServeError, serve};

/// How long a handler may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many streams may be open at once.
const STREAMS: usize = 64;

/// What a page may load and be loaded by: only what is ours, and nobody may frame it.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

/// Which door somebody comes in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    /// The Unix socket: who may open it owns the state folder and may do everything.
    Owner,
    /// The network: a token or a session is needed.
    Network,
}

/// What every handler has.
pub(crate) type Door = Arc<Inside>;

/// What is behind the door.
pub(crate) struct Inside {
    control: Arc<Control>,
    local: Local,
    throttle: Throttle,
    streams: Arc<Semaphore>,
    /// Room for what forges send that is long.
    bodies: Arc<Semaphore>,
    /// Room for pushes and fetches over HTTP.
    pushes: Arc<Semaphore>,
}

/// Everything there is to ask.
pub fn router(control: Arc<Control>, local: Local) -> Router {
    let streams = Arc::new(Semaphore::new(STREAMS));
    let (bodies, pushes) = (forge::room(), git::room());
    let throttle = Throttle::default();
    let door: Door = Arc::new(Inside { control, local, throttle, streams, bodies, pushes });
    routes::router(&door)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(&door), with_policy))
        .with_state(door)
}

async fn not_found(State(door): State<Door>, uri: Uri, headers: HeaderMap) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    let title = format!("there is nothing at {path}");
    let unable = Unable::new(StatusCode::NOT_FOUND, "not_found", title);
    let accepts = headers.get(ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return desk::as_page(&door, unable.into_response(), &path, None);
    }
    unable.hint("GET /api/v1/openapi.json").into_response()
}

async fn wrong_method(uri: Uri) -> Unable {
    let path: String = uri.path().chars().take(200).collect();
    let title = format!("{path} cannot be asked for in this way");
    Unable::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", title)
        .hint("GET /api/v1/openapi.json")
}

/// What every answer says to browsers.
async fn with_policy(State(door): State<Door>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_ofrep, is_jenkins) = (path.starts_with("/ofrep/"), path.starts_with("/jenkins"));
    let mut response = next.run(request).await;
    door.control.metrics().tally.answer(response.status().as_u16());
    if is_ofrep {
        ofrep::open(&mut response);
    }
    if is_jenkins {
        jenkins::sign(&mut response);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Not `no-referrer`: browsers would then say `Origin: null` with our own forms.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

//! The `OpenFeature` Remote Evaluation Protocol over HTTP: what it says is the room of flags'
//! business, how it is sent is ours.

use axum::extract::{Extension, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Door;
use super::api::flags::set_of;
use super::caller::Caller;
use super::extract::{Asked, At, Raw};
use super::origin::{Which, meant, named};
use super::problem::Unable;
use super::routes::Need;
use crate::flags::ofrep::{Answer, evaluate_all, evaluate_one};

/// What a web page of anywhere may know: it came with a token of its own, and never by a cookie.
const OPEN: [(HeaderName, HeaderValue); 2] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag, Retry-After")),
];

pub(crate) async fn all(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Unable> {
    let app = meant(&door, &caller, Need::SomeEvaluate, named(which, &headers)?).await?;
    let set = set_of(&door, &app).await?;
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    Ok(send(evaluate_all(&set, &body, known)))
}

pub(crate) async fn one(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(key): At<String>,
    Asked(which): Asked<Which>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Response, Unable> {
    let app = meant(&door, &caller, Need::SomeEvaluate, named(which, &headers)?).await?;
    let set = set_of(&door, &app).await?;
    Ok(send(evaluate_one(&set, &key, &body)))
}

/// What a browser asks before it lets a page of elsewhere ask.
pub(crate) async fn preflight() -> Response {
    let allowed = [
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS")),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, X-API-Key, Content-Type, If-None-Match"),
        ),
        (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, allowed).into_response()
}

/// Every answer under `/ofrep/`, also those of the guard, may be read by whoever asked.
pub(crate) fn open(response: &mut Response) {
    for (name, value) in OPEN {
        response.headers_mut().insert(name, value);
    }
}

fn send(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    let mut response = (status, headers, answer.body).into_response();
    if let Some(etag) = answer.etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

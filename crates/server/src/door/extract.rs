//! What a request brings, read once and with a word of ours where it cannot be.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::problem::Unable;

/// The largest body of a call, in bytes.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;

/// The variable parts of the path.
pub(crate) struct At<T>(pub(crate) T);

/// What stands behind the `?`.
pub(crate) struct Asked<T>(pub(crate) T);

/// A JSON body; an empty one is `{}`.
pub(crate) struct Sent<T>(pub(crate) T);

/// The fields of a form.
pub(crate) struct Filled<T>(pub(crate) T);

/// A body as it came, at most [`LARGEST_BODY`] long.
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Unable;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unable> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        // No such thing can exist where its name cannot.
        let wrong = |why| Unable::new(StatusCode::NOT_FOUND, "not_found", why);
        read.map(|Path(it)| Self(it)).map_err(|error| wrong(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Unable;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unable> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        let wrong = |why| Unable::bad_request("query_unreadable", why);
        read.map(|Query(it)| Self(it)).map_err(|error| wrong(error.body_text()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = Unable;

    async fn from_request(request: Request, _: &S) -> Result<Self, Unable> {
        let (parts, body) = request.into_parts();
        whole(&parts.headers, body, LARGEST_BODY).await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Unable;

    async fn from_request(request: Request, _: &S) -> Result<Self, Unable> {
        let (parts, body) = request.into_parts();
        let body = whole(&parts.headers, body, LARGEST_BODY).await?;
        let body = if body.is_empty() {
            Bytes::from_static(b"{}")
        } else if is(&parts.headers, "application/json") {
            body
        } else {
            let title = "the body must be JSON, sent as application/json";
            return Err(Unable::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", title));
        };
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            Unable::bad_request("body_unreadable", format!("the body cannot be used: {error}"))
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Filled<T> {
    type Rejection = Unable;

    async fn from_request(request: Request, state: &S) -> Result<Self, Unable> {
        let (parts, body) = request.into_parts();
        let body = whole(&parts.headers, body, LARGEST_BODY).await?;
        let request = Request::from_parts(parts, Body::from(body));
        let read = axum::Form::<T>::from_request(request, state).await;
        read.map(|axum::Form(it)| Self(it))
            .map_err(|error| Unable::bad_request("form_unreadable", error.body_text()))
    }
}

/// The whole of a body that is no longer than `largest`.
pub(crate) async fn whole(
    headers: &HeaderMap,
    body: Body,
    largest: usize,
) -> Result<Bytes, Unable> {
    let too_large = || {
        let title = format!("the body is larger than {} MiB", largest / 1024 / 1024);
        Unable::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", title)
    };
    let said = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > largest) {
        return Err(too_large());
    }
    to_bytes(body, largest).await.map_err(|error| {
        let cut = std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
        if cut {
            too_large()
        } else {
            Unable::bad_request("body_cut", "the body did not come whole")
        }
    })
}

fn is(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}

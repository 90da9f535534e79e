//! How git is spoken to: an error goes as text, which it shows.

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use toehold_core::wire::api::Problem;

/// What could not be done, in words that git shows as lines of `remote: …`.
pub(crate) fn as_text(mut response: Response) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let hint = if problem.hint.is_empty() { String::new() } else { format!("{}\n", problem.hint) };
    *response.body_mut() = Body::from(format!("{}\n{hint}", problem.title));
    let is_unknown = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if is_unknown {
        headers.insert(WWW_AUTHENTICATE, super::CHALLENGE);
    }
    response
}

//! Whether whoever asks may: the one place where that is decided.

use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use toehold_core::model::AppName;

use super::caller::{Caller, Peer, failed, identify};
use super::need::{Need, Voice};
use super::problem::Unable;
use super::{Door, desk, git};

/// Stands before every handler.
pub(crate) async fn guard(
    State((door, need, voice)): State<(Door, Need, Voice)>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let app = params.iter().find_map(|(name, value)| match name {
        "app" => Some(value),
        "repository" => Some(value.strip_suffix(".git").unwrap_or(value)),
        _ => None,
    });
    let app = app.and_then(|app| app.parse().ok());
    let peer = request.extensions().get::<Peer>().copied();
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let admitted = admit(&door, (need, voice), app.as_ref(), peer, &method, &headers).await;
    let (path, viewer) = match (&admitted, voice) {
        (_, Voice::Json | Voice::Jenkins | Voice::Git) => (String::new(), None),
        (admitted, Voice::Page) => {
            let caller = admitted.as_ref().ok().and_then(Option::as_ref);
            (request.uri().path().to_owned(), caller.cloned())
        }
    };
    let response = match admitted {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            let patience = if voice == Voice::Git { git::PATIENCE } else { super::PATIENCE };
            match tokio::time::timeout(patience, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Unable::later(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "timed_out",
                    "this took too long and was given up",
                    5,
                )
                .into_response(),
            }
        }
        Err(unable) => unable.into_response(),
    };
    match voice {
        Voice::Json | Voice::Jenkins => response,
        Voice::Git => git::as_text(response),
        Voice::Page => desk::as_page(&door, response, &path, viewer.as_ref()),
    }
}

async fn admit(
    door: &Door,
    (need, voice): (Need, Voice),
    app: Option<&AppName>,
    peer: Option<Peer>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Unable> {
    let found = identify(door, peer, headers, voice).await;
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let by_browser = match voice {
        Voice::Page => true,
        Voice::Json => matches!(&found, Ok(Some(caller)) if caller.has_session()),
        // A browser keeps a password, too, and sends it along whoever made it ask.
        Voice::Jenkins | Voice::Git => says_where(headers),
    };
    if changes && by_browser && !is_same_origin(headers) {
        let title = "this was asked for by a page of another site, and was not done";
        return Err(Unable::new(StatusCode::FORBIDDEN, "cross_origin", title));
    }
    if need == Need::Nothing {
        return Ok(found.unwrap_or_default());
    }
    let caller = match found {
        Ok(Some(caller)) => caller,
        Ok(None) => return Err(Unable::unknown_caller("this needs a token")),
        Err(refused) => return Err(failed(door, peer, refused)),
    };
    if need == Need::Owner && !caller.is_by_socket() {
        let title = "this can only be done on the machine itself, by who owns the state folder";
        return Err(Unable::new(StatusCode::FORBIDDEN, "owner_only", title));
    }
    if need.is_met(&caller.principal, app) {
        return Ok(Some(caller));
    }
    let needed = need.in_words(app);
    let title = format!("{:?} may not do this: it needs the scope {needed}", caller.actor());
    Err(Unable::new(StatusCode::FORBIDDEN, "scope_missing", title)
        .hint(format!("toehold tokens create NAME --scope {needed}")))
}

/// Whether a browser says which page made it ask.
fn says_where(headers: &HeaderMap) -> bool {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    headers.contains_key(SITE) || headers.contains_key(ORIGIN)
}

/// Whether a browser says that the page it shows is ours. `Sec-Fetch-Site` where it sends that,
/// else `Origin` against `Host`; who sends neither is not believed.
fn is_same_origin(headers: &HeaderMap) -> bool {
    const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let text = |name: &HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
    if let Some(site) = text(&SITE) {
        return matches!(site, "same-origin" | "none");
    }
    let origin = text(&ORIGIN).and_then(|it| it.split_once("://")).map(|(_, host)| host);
    origin.is_some() && origin == text(&HOST)
}

#[cfg(test)]
mod tests;

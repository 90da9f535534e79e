//! Links in messages. Opening one changes nothing: mail and chat programs open links to look at
//! them. The page asks once more, and its button does it. The link itself is the right to do it.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Door;
use super::assets;
use super::caller::{Caller, Peer};
use super::extract::At;
use super::pages::act as page;
use super::problem::Unable;
use crate::control::ActError;

pub(crate) async fn ask(
    State(door): State<Door>,
    peer: Option<Extension<Peer>>,
    At(link): At<String>,
) -> Response {
    match door.control.offered(&link).await {
        Ok(ticket) => {
            let now = door.control.clock().now();
            page::ask(&ticket, &link, now, &assets::addresses()).into_response()
        }
        Err(error) => refused(&door, peer.map(|Extension(it)| it), error),
    }
}

pub(crate) async fn act(
    State(door): State<Door>,
    caller: Option<Extension<Caller>>,
    peer: Option<Extension<Peer>>,
    At(link): At<String>,
) -> Response {
    let who = caller.as_ref().map(|Extension(caller)| caller.actor());
    match door.control.take_offer(&link, who).await {
        Ok((ticket, done)) => page::done(&ticket, &done.text, &assets::addresses()).into_response(),
        Err(error) => refused(&door, peer.map(|Extension(it)| it), error),
    }
}

/// Why not, kindly.
fn refused(door: &Door, peer: Option<Peer>, error: ActError) -> Response {
    let now = door.control.clock().now();
    let assets = assets::addresses();
    let status = match error {
        ActError::Control(error) => return Unable::from(error).into_response(),
        ActError::NotOurs(_) => {
            if let Some(Peer::Network(peer)) = peer
                && let Some(seconds) = door.throttle.failed(peer, now)
            {
                let title = "too many links that are not good came from this address";
                let status = StatusCode::TOO_MANY_REQUESTS;
                return Unable::later(status, "too_many_failures", title, seconds).into_response();
            }
            StatusCode::NOT_FOUND
        }
        ActError::Ended { .. } | ActError::Used { .. } => StatusCode::GONE,
        ActError::Changed { .. } => StatusCode::CONFLICT,
    };
    (status, page::refused(&error, now, &assets)).into_response()
}

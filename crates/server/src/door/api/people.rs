//! Tokens, links into the dashboard, and messages.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::{Done, TokenView};

use crate::door::caller::{Caller, Peer};
use crate::door::extract::{At, Sent};
use crate::door::problem::Unable;
use crate::door::{Door, reached};
use crate::secret::{Scope, Sessions};

/// What is shown once is kept nowhere on the way.
const NOT_KEPT: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// `POST /api/v1/tokens`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    name: String,
    scopes: Vec<Scope>,
    /// When it ends, in seconds from now; never where absent.
    #[serde(default)]
    expires_s: Option<u64>,
}

/// A token that was just made: the only time its text is shown.
#[derive(Serialize)]
pub(crate) struct MadeToken {
    token: String,
    #[serde(flatten)]
    view: TokenView,
}

/// A way into the dashboard.
#[derive(Serialize)]
pub(crate) struct LoginLink {
    url: String,
    expires_at: Timestamp,
}

pub(crate) async fn tokens(State(door): State<Door>) -> Result<Json<Vec<TokenView>>, Unable> {
    let listed = door.control.tokens().list().await;
    Ok(Json(listed.map_err(crate::secret::TokenError::from)?))
}

pub(crate) async fn create_token(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Sent(new): Sent<NewToken>,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<MadeToken>), Unable> {
    if new.name.trim().is_empty() || new.scopes.is_empty() {
        let title = "a token has a name and at least one scope";
        return Err(Unable::bad_request("token_unusable", title)
            .hint("toehold tokens create NAME --scope read"));
    }
    let now = door.control.clock().now();
    let expires_at = new.expires_s.map(|seconds| now.plus(Duration::from_secs(seconds)));
    let tokens = door.control.tokens();
    let (view, text) = tokens.create(&new.name, new.scopes, expires_at, caller.actor()).await?;
    let made = MadeToken { token: text.reveal().to_owned(), view };
    Ok((StatusCode::CREATED, NOT_KEPT, Json(made)))
}

pub(crate) async fn revoke_token(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Result<Json<Done>, Unable> {
    door.control.tokens().revoke(&id, caller.actor()).await?;
    Ok(Json(Done { text: format!("the token {id} is taken back"), event: None }))
}

/// Nobody gets more by the link than they have.
pub(crate) async fn login_link(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], Json<LoginLink>), Unable> {
    let code = door.control.sessions().code(caller.principal.clone()).await?;
    let base = reached::base(peer, &headers, door.control.settings().api);
    let url = format!("{base}/login?code={}", code.reveal());
    let expires_at = door.control.clock().now().plus(Sessions::CODE_LASTS);
    Ok((NOT_KEPT, Json(LoginLink { url, expires_at })))
}

pub(crate) async fn test_messages(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Done>, Unable> {
    Ok(Json(door.control.test_messages(caller.actor()).await?))
}

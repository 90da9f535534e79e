//! Logging in and out.

use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};
use maud::Markup;
use serde::Deserialize;

use crate::door::Door;
use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

use crate::door::assets;
use crate::door::caller::{Caller, Peer, failed};
use crate::door::extract::{Asked, Filled};
use crate::door::pages;
use crate::door::problem::Unable;
use crate::door::reached::by_https;
use crate::secret::{Refused, Secret, Sessions};

/// What a link brings.
#[derive(Deserialize)]
pub(crate) struct Brought {
    code: Option<String>,
    next: Option<String>,
}

/// What the form brings: a token, or the code of a link.
#[derive(Deserialize)]
pub(crate) struct Given {
    token: Option<String>,
    code: Option<String>,
    next: Option<String>,
}

/// A link is used up by the form, not by being opened: mail and chat programs open links to look
/// at them.
pub(crate) async fn login(Asked(brought): Asked<Brought>) -> Markup {
    let next = ours(brought.next.as_deref());
    pages::login::page(brought.code.as_deref(), next, None, &assets::addresses())
}

pub(crate) async fn enter(
    State(door): State<Door>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Filled(given): Filled<Given>,
) -> Response {
    let next = ours(given.next.as_deref());
    match session(&door, &given).await {
        Ok(session) => {
            let cookie = cookie(&headers, session.reveal(), Sessions::LASTS.as_secs());
            ([(SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(refused) => {
            let unable: Unable = match refused {
                Some(refused) => failed(&door, peer.map(|Extension(it)| it), refused),
                None => {
                    Unable::bad_request("login_failed", "you could not be logged in: try again")
                }
            };
            let title = match (&given.code, unable.status().as_u16()) {
                (Some(_), 401) => {
                    "this link was used already, or has ended: get another with `toehold open`"
                }
                _ => unable.problem().title.as_str(),
            };
            let page = pages::login::page(None, next, Some(title), &assets::addresses());
            (unable.status(), page).into_response()
        }
    }
}

/// A session for a code, or for a token: the browser is never given the token itself to keep.
async fn session(door: &Door, given: &Given) -> Result<Secret, Option<Refused>> {
    let sessions = door.control.sessions();
    let (session, _) = match (&given.code, &given.token) {
        (Some(code), _) => sessions.redeem(code).await.map_err(Some)?,
        (None, Some(token)) => {
            let principal = door.control.tokens().verify(token.trim()).await.map_err(Some)?;
            let code = sessions.code(principal).await.map_err(|_| None)?;
            sessions.redeem(code.reveal()).await.map_err(Some)?
        }
        (None, None) => return Err(Some(Refused::Unknown)),
    };
    Ok(session)
}

pub(crate) async fn leave(
    State(door): State<Door>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
) -> Result<Response, Unable> {
    if let Some(session) = caller.as_ref().and_then(|Extension(caller)| caller.session()) {
        door.control.sessions().end(session).await?;
    }
    let cookie = cookie(&headers, "", 0);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

/// The session's cookie. No script can read it, no other site's form brings it along, and where
/// the page came by HTTPS it goes by nothing else.
fn cookie(headers: &HeaderMap, session: &str, lasts_s: u64) -> HeaderValue {
    let (name, secure) = if by_https(headers) {
        (SESSION_COOKIE_SECURE, "; Secure")
    } else {
        (SESSION_COOKIE_PLAIN, "")
    };
    let text =
        format!("{name}={session}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("a session is of letters, digits, - and _")
}

/// Where it goes on: only to a page of ours.
fn ours(next: Option<&str>) -> &str {
    let next = next.unwrap_or("/");
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>');
    let holds = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    if holds { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_never_leads_elsewhere() {
        for bad in ["https://evil.example", "//evil.example", "/\\evil", "javascript:x", "", "/a b"]
        {
            assert_eq!(ours(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(ours(Some("/apps/shop?x=1")), "/apps/shop?x=1");
    }

    #[test]
    fn a_cookie_by_https_goes_by_nothing_else() {
        let mut headers = HeaderMap::new();
        let plain = cookie(&headers, "abc", 60);
        assert_eq!(plain, "toehold-session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let secure = cookie(&headers, "abc", 60);
        assert!(secure.to_str().expect("text").starts_with("__Host-toehold-session=abc; Path=/"));
        assert!(secure.to_str().expect("text").ends_with("; Secure"));
    }
}

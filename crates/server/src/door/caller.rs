//! Who asks, and what proves it.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use toehold_core::model::AppName;
use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

use super::need::{Need, Voice};
use super::problem::Unable;
use super::{Door, Local};
use crate::secret::{Principal, Refused, Scope, Secret};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Somebody on the network.
    Network(IpAddr),
    /// A user of this machine who may open the socket, by uid.
    Socket(Option<u32>),
}

/// Somebody who proved who they are.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Their name and rights.
    pub(crate) principal: Principal,
    proof: Proof,
}

/// What proved it.
#[derive(Clone, Debug)]
enum Proof {
    Socket,
    Token(Secret),
    Session(Secret),
}

impl Caller {
    /// Who brought a token in a way of their own.
    pub(crate) async fn by_token(door: &Door, peer: Peer, token: &str) -> Result<Self, Unable> {
        match door.control.tokens().verify(token).await {
            Ok(principal) => Ok(Self { principal, proof: Proof::Token(Secret::new(token)) }),
            Err(refused) => Err(failed(door, Some(peer), refused)),
        }
    }

    /// The name events show.
    pub(crate) fn actor(&self) -> &str {
        &self.principal.name
    }

    /// Whether they came by a cookie, which a browser sends along whoever made it ask.
    pub(crate) const fn has_session(&self) -> bool {
        matches!(self.proof, Proof::Session(_))
    }

    /// The session, where there is one.
    pub(crate) fn session(&self) -> Option<&str> {
        match &self.proof {
            Proof::Session(session) => Some(session.reveal()),
            Proof::Socket | Proof::Token(_) => None,
        }
    }

    /// Whether they are on the machine itself, as who owns the state folder.
    pub(crate) const fn is_by_socket(&self) -> bool {
        matches!(self.proof, Proof::Socket)
    }

    /// Whether they may see an app.
    pub(crate) fn may_look(&self, app: &AppName) -> bool {
        Need::Look.is_met(&self.principal, Some(app))
    }

    /// Whether they may change what an app runs.
    pub(crate) fn may_deploy(&self, app: &AppName) -> bool {
        Need::Deploy.is_met(&self.principal, Some(app))
    }

    /// Whether they may turn an app's flags.
    pub(crate) fn may_flag(&self, app: &AppName) -> bool {
        Need::Flag.is_met(&self.principal, Some(app))
    }

    /// Whether what proved it still does.
    pub(crate) async fn is_still_good(&self, door: &Door) -> bool {
        match &self.proof {
            Proof::Socket => true,
            Proof::Token(token) => door.control.tokens().verify(token.reveal()).await.is_ok(),
            Proof::Session(session) => {
                door.control.sessions().verify(session.reveal()).await.is_ok()
            }
        }
    }
}

/// A token that is not good counts against whoever brought it.
pub(crate) fn failed(door: &Door, peer: Option<Peer>, refused: Refused) -> Unable {
    let Some(Peer::Network(peer)) = peer else { return refused.into() };
    if matches!(refused, Refused::Store(_)) {
        return refused.into();
    }
    match door.throttle.failed(peer, door.control.clock().now()) {
        None => refused.into(),
        Some(seconds) => {
            let title = "too many tokens that are not good came from this address";
            Unable::later(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", title, seconds)
        }
    }
}

/// Who asks, by the first proof they brought; `None` where they brought none.
pub(crate) async fn identify(
    door: &Door,
    peer: Option<Peer>,
    headers: &HeaderMap,
    voice: Voice,
) -> Result<Option<Caller>, Refused> {
    if door.local == Local::Owner {
        let name = match peer {
            Some(Peer::Socket(Some(uid))) => super::owner::name_of(uid),
            _ => None,
        };
        let name = name.unwrap_or_else(|| "owner".to_owned());
        let principal = Principal { name, scopes: vec![Scope::Admin], token: None };
        return Ok(Some(Caller { principal, proof: Proof::Socket }));
    }
    if let Some(token) = token_of(headers) {
        let principal = door.control.tokens().verify(token).await?;
        return Ok(Some(Caller { principal, proof: Proof::Token(Secret::new(token)) }));
    }
    if matches!(voice, Voice::Jenkins | Voice::Git) {
        // No cookie opens what speaks like Jenkins or git: a password is all their clients have.
        let Some(token) = password_of(headers) else { return Ok(None) };
        let principal = door.control.tokens().verify(token.reveal()).await?;
        return Ok(Some(Caller { principal, proof: Proof::Token(token) }));
    }
    if let Some(session) = session_of(headers) {
        let principal = door.control.sessions().verify(session).await?;
        return Ok(Some(Caller { principal, proof: Proof::Session(Secret::new(session)) }));
    }
    Ok(None)
}

/// `Authorization: Bearer …`, or `X-API-Key`, as some `OpenFeature` clients send it.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
    let bearer = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()).and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    bearer.or_else(|| headers.get(API_KEY).and_then(|it| it.to_str().ok()))
}

/// The password of `Authorization: Basic …`: a token. Whose name stands before it says nothing, as
/// a token has a name of its own.
fn password_of(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, pair) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = BASE64.decode(pair.trim()).ok()?;
    let pair = std::str::from_utf8(&pair).ok()?;
    let (_, password) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| Secret::new(password))
}

/// The session's cookie, the one that only this host can have set before the other.
fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = || {
        let lines = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |name| cookies().find(|(cookie, _)| *cookie == name).map(|(_, value)| value);
    named(SESSION_COOKIE_SECURE).or_else(|| named(SESSION_COOKIE_PLAIN))
}

#[cfg(test)]
pub(crate) mod tests;

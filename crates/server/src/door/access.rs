//! Who asks, and whether they may: the one place where that is decided.

use std::net::IpAddr;

use axum::extract::{RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use toehold_core::model::AppName;
use toehold_core::wire::api::{SESSION_COOKIE_PLAIN, SESSION_COOKIE_SECURE};

use super::problem::Unable;
use super::routes::{Need, Route, Voice};
use super::{Door, Local, desk};
use crate::secret::{Apps, Principal, Refused, Scope, Secret};

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

impl Need {
    /// Whether somebody with these rights may, about `app`.
    pub(crate) fn is_met(self, who: &Principal, app: Option<&AppName>) -> bool {
        let one = || app.map(|app| Apps::One(app.clone()));
        let may = |scope: fn(Apps) -> Scope| one().is_some_and(|app| who.may(&scope(app)));
        let some =
            |of: fn(&Scope) -> bool| who.scopes.iter().any(|it| *it == Scope::Admin || of(it));
        match self {
            Self::Nothing | Self::Known => true,
            // The socket's own door is checked before rights are.
            Self::Owner | Self::Admin => who.may(&Scope::Admin),
            Self::LookAtAll => who.may(&Scope::Read),
            // Who may change something may see what they change.
            Self::Look => who.may(&Scope::Read) || may(Scope::Deploy) || may(Scope::Flag),
            Self::Deploy => may(Scope::Deploy),
            Self::Flag => may(Scope::Flag),
            Self::SomeDeploy => some(|scope| matches!(scope, Scope::Deploy(_))),
            Self::SomeFlag => some(|scope| matches!(scope, Scope::Flag(_))),
            Self::SomeEvaluate => {
                some(|scope| matches!(scope, Scope::Evaluate(_) | Scope::Flag(_)))
            }
        }
    }
}

/// Stands before every handler.
pub(crate) async fn guard(
    State((door, route)): State<(Door, &'static Route)>,
    params: RawPathParams,
    mut request: Request,
    next: Next,
) -> Response {
    let app = params.iter().find(|(name, _)| *name == "app").and_then(|(_, app)| app.parse().ok());
    let peer = request.extensions().get::<Peer>().copied();
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let admitted = admit(&door, route, app.as_ref(), peer, &method, &headers).await;
    let (path, viewer) = match (&admitted, route.voice) {
        (_, Voice::Json) => (String::new(), None),
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
            match tokio::time::timeout(super::PATIENCE, next.run(request)).await {
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
    match route.voice {
        Voice::Json => response,
        Voice::Page => desk::as_page(&door, response, &path, viewer.as_ref()),
    }
}

async fn admit(
    door: &Door,
    route: &Route,
    app: Option<&AppName>,
    peer: Option<Peer>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Unable> {
    let found = identify(door, peer, headers).await;
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let by_browser =
        route.voice == Voice::Page || matches!(&found, Ok(Some(caller)) if caller.has_session());
    if changes && by_browser && !is_same_origin(headers) {
        let title = "this was asked for by a page of another site, and was not done";
        return Err(Unable::new(StatusCode::FORBIDDEN, "cross_origin", title));
    }
    if route.need == Need::Nothing {
        return Ok(found.unwrap_or_default());
    }
    let caller = match found {
        Ok(Some(caller)) => caller,
        Ok(None) => return Err(Unable::unknown_caller("this needs a token")),
        Err(refused) => return Err(failed(door, peer, refused)),
    };
    let by_socket = matches!(caller.proof, Proof::Socket);
    if route.need == Need::Owner && !by_socket {
        let title = "this can only be done on the machine itself, by who owns the state folder";
        return Err(Unable::new(StatusCode::FORBIDDEN, "owner_only", title));
    }
    if route.need.is_met(&caller.principal, app) {
        return Ok(Some(caller));
    }
    let needed = route.need.in_words(app);
    let title = format!("{:?} may not do this: it needs the scope {needed}", caller.actor());
    Err(Unable::new(StatusCode::FORBIDDEN, "scope_missing", title)
        .hint(format!("toehold tokens create NAME --scope {needed}")))
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

async fn identify(
    door: &Door,
    peer: Option<Peer>,
    headers: &HeaderMap,
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

/// The session's cookie, the one that only this host can have set before the other.
fn session_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = || {
        let lines = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |name| cookies().find(|(cookie, _)| *cookie == name).map(|(_, value)| value);
    named(SESSION_COOKIE_SECURE).or_else(|| named(SESSION_COOKIE_PLAIN))
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

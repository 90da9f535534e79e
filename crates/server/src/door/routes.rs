//! Every route there is, once: what serves it, what it needs and what it is for. The guards, the
//! description for programs and the test that tries each door are all made from this table, so
//! nothing can be reached that is not in it.

mod table;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use toehold_core::model::AppName;

use super::{Door, access};

pub use table::ROUTES;

/// What somebody needs to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the way in itself, what everyone may have, and what carries a proof of its own.
    Nothing,
    /// To be known.
    Known,
    /// To be on the machine itself, as who owns the state folder.
    Owner,
    /// `admin`.
    Admin,
    /// `read`.
    LookAtAll,
    /// `read`, or a right to change something of the app in the path.
    Look,
    /// `deploy:APP`.
    Deploy,
    /// `flag:APP`.
    Flag,
    /// `deploy` of some app; the handler says of which.
    SomeDeploy,
    /// `flag` of some app; the handler says of which.
    SomeFlag,
    /// `evaluate` of some app; the handler says of which.
    SomeEvaluate,
}

impl Need {
    /// The scope, as a token has it.
    #[must_use]
    pub fn in_words(self, app: Option<&AppName>) -> String {
        let app = app.map_or("APP", AppName::as_str);
        match self {
            Self::Nothing | Self::Known => "any".to_owned(),
            Self::Owner | Self::Admin => "admin".to_owned(),
            Self::LookAtAll | Self::Look => "read".to_owned(),
            Self::Deploy | Self::SomeDeploy => format!("deploy:{app}"),
            Self::Flag | Self::SomeFlag => format!("flag:{app}"),
            Self::SomeEvaluate => format!("evaluate:{app}"),
        }
    }
}

/// Who it speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Programs: JSON, and problems as `application/problem+json`.
    Json,
    /// People: HTML, and problems as a page or the way to log in.
    Page,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its variable parts in braces.
    pub path: &'static str,
    /// What somebody needs to be let in.
    pub need: Need,
    /// Who it speaks to.
    pub voice: Voice,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// The name of what its body is, in the description for programs; empty where it has none.
    pub body: &'static str,
    serve: fn() -> MethodRouter<Door>,
}

/// All of them, each behind its guard.
pub(crate) fn router(door: &Door) -> Router<Door> {
    let mut router = Router::new();
    for route in ROUTES {
        let guard = from_fn_with_state((Door::clone(door), route), access::guard);
        router = router.route(route.path, (route.serve)().route_layer(guard));
    }
    router
}

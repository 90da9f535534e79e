//! Every route there is, once: what serves it, what it needs and what it is for. The guards, the
//! description for programs and the test that tries each door are all made from this table, so
//! nothing can be reached that is not in it.

mod table;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;

use super::{Door, access};

pub use super::need::{Need, Voice};

pub use table::ROUTES;

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
        let guard = from_fn_with_state((Door::clone(door), route.need, route.voice), access::guard);
        router = router.route(route.path, (route.serve)().route_layer(guard));
    }
    router
}

//! What to do next to bring what is seen closer to what is wished: which instances exist, and who
//! gets which release.
//!
//! A new stable release gets traffic only when all its instances serve, and then all of it at once;
//! until then the one before goes on. Nothing that requests may still reach is ever ended.

mod drain;
mod give_up;
mod keep;
mod launch;
mod mend;
mod place;
mod retire;
mod route;
mod settle;

pub use route::route;

use crate::draft::Draft;
use crate::situation::Heard;

/// How long an instance is drained where its release does not say.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Says what to do next to bring what is seen closer to what is wished.
pub fn plan(draft: &mut Draft<'_>, heard: &Heard) {
    retire::forget(draft);
    mend::clock(draft);
    give_up::where_hopeless(draft, heard);
    launch::take_back(draft);
    settle::where_ready(draft);
    launch::missing(draft);
    place::waiting(draft);
    route(draft);
    drain::unwanted(draft);
    retire::drained(draft);
}

#[cfg(test)]
mod tests;

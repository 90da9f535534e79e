//! A page for what could not be done.

use maud::{Markup, html};
use toehold_core::wire::api::Problem;

use super::shell::Shell;
use super::{Assets, Viewer};

/// Says what could not be done, why, and what to try.
pub(crate) fn page(
    problem: &Problem,
    viewer: Option<&Viewer>,
    back: &str,
    assets: &Assets,
) -> Markup {
    let body = html! {
        section.part.refused {
            h1 { (problem.title) }
            @if !problem.hint.is_empty() { p.hint { "try " code { (problem.hint) } } }
            p.muted { (problem.status) " " (problem.code) }
            p { a href=(back) { "Back" } }
        }
    };
    Shell { title: "not done", assets, viewer, apps: &[], here: None, live: None }.page(&body)
}

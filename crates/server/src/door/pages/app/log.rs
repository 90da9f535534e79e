//! The end of what an instance says, live.

use maud::{Markup, html};

use super::AppPage;

pub(crate) fn part(page: &AppPage) -> Markup {
    let app = &page.view.app;
    html! {
        header.part { h2 { "Log" } span #choose.choose { (chooser(page)) } }
        @match &page.said {
            Some(said) => {
                pre.log #said data-of=(said.by) tabindex="0" aria-label=(format!("log of {}", said.by))
                    data-log=(format!("/api/v1/apps/{app}/instances/{}/log?offset=", said.by)) data-next=(said.next) { (said.text) }
            }
            None => p.muted { "No instance has said anything yet." },
        }
    }
}

/// Every instance, to choose whose log is shown; the script marks which it is.
pub(crate) fn chooser(page: &AppPage) -> Markup {
    let app = &page.view.app;
    html! {
        @for name in page.view.instances.iter().map(|view| view.instance.id.short()) {
            a href=(format!("/apps/{app}/log/{name}")) data-log-of=(name) { (name) }
        }
    }
}

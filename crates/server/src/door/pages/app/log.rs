//! The end of what an instance says, live.

use maud::{Markup, html};

use super::AppPage;

pub(crate) fn part(page: &AppPage) -> Markup {
    let app = &page.view.app;
    let names = page.view.instances.iter().map(|view| view.instance.id.short());
    let by = page.said.as_ref().map(|said| said.by.as_str()).unwrap_or_default();
    html! {
        header.part {
            h2 { "Log" }
            span.choose {
                @for name in names {
                    a href=(format!("/apps/{app}/log/{name}")) data-log-of=(name) aria-current=[(name == by).then_some("true")] { (name) }
                }
            }
        }
        @match &page.said {
            Some(said) => {
                pre.log #said tabindex="0" aria-label=(format!("log of {}", said.by))
                    data-log=(format!("/api/v1/apps/{app}/instances/{}/log?offset=", said.by)) data-next=(said.next) { (said.text) }
            }
            None => p.muted { "No instance has said anything yet." },
        }
    }
}

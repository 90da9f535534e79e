//! Why something is as it is: what led to it, oldest first, with its numbers.

use maud::{Markup, html};
use toehold_core::model::{AppName, Event, Subject};
use toehold_core::time::Timestamp;

use super::shell::Shell;
use super::{Assets, Viewer, icon, words};

/// The chain. Each link says whether it is about the thing itself.
pub(crate) fn page(
    app: &AppName,
    subject: &Subject,
    chain: &[(Event, bool)],
    viewer: &Viewer,
    now: Timestamp,
    assets: &Assets,
) -> Markup {
    let title = format!("{app}: why {subject}");
    let body = html! {
        p.crumbs { a href=(format!("/apps/{app}")) { (app) } " / why " (subject) }
        section.part {
            h1 { "Why " (subject) " is as it is" }
            @if chain.is_empty() { p.muted { "Nothing is written of it; what is older may have been forgotten." } }
            ol."timeline chain" {
                @for (event, about_it) in chain { (link(event, *about_it, now)) }
            }
        }
    };
    let shell = Shell {
        title: &title,
        assets,
        viewer: Some(viewer),
        apps: &[],
        here: Some(app),
        live: None,
    };
    shell.page(&body)
}

fn link(event: &Event, about_it: bool, now: Timestamp) -> Markup {
    let look = if about_it { "about" } else { "before" };
    html! {
        li class=(format!("{} {look}", icon::tone(event.kind))) {
            (icon::icon(icon::of_event(event.kind)))
            span.text { (event.text) }
            span.meta { (event.kind) " · " (event.subject) " · " (event.actor) " · " (words::ago(event.at, now)) }
            @if let Some(facts) = event.facts.as_object().filter(|facts| !facts.is_empty()) {
                dl.facts {
                    @for (name, value) in facts {
                        div { dt { (name) } dd { (fact(value)) } }
                    }
                }
            }
        }
    }
}

/// A text as it is, anything else as JSON.
fn fact(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

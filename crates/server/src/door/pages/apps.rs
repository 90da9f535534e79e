//! Every app at one glance.

use maud::{Markup, html};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::AppView;

use super::app::situation;
use super::shell::Shell;
use super::{Assets, Viewer, words};

/// The list of apps.
pub(crate) fn page(apps: &[AppView], viewer: &Viewer, now: Timestamp, assets: &Assets) -> Markup {
    let body = html! {
        section.part {
            h1 { "Apps" }
            @if apps.is_empty() {
                div.empty {
                    p { "There is no app yet." }
                    p.muted { "In the repository of one: " code { "toehold init" } ", then " code { "git push toehold main" } "." }
                }
            }
            ul.apps { @for app in apps { (one(app, now)) } }
        }
    };
    let shell =
        Shell { title: "apps", assets, viewer: Some(viewer), apps: &[], here: None, live: None };
    shell.page(&body)
}

fn one(app: &AppView, now: Timestamp) -> Markup {
    let (tone, sentence) = situation(app);
    let raised = app.alerts.iter().filter(|alert| alert.is_raised()).count();
    let rate: f64 = app.traffic.iter().fold(0.0, |sum, it| sum + it.requests_per_second);
    html! {
        li {
            a href=(format!("/apps/{}", app.app)) {
                span class=(format!("dot {tone}")) aria-hidden="true" {}
                b { (app.app) }
                span.sentence { (sentence) }
                @if raised > 0 { span."state bad" { (words::count(raised as u64, "alert")) } }
                span.meta {
                    (words::rate(rate)) " requests / s · "
                    (words::count(app.instances.len() as u64, "instance"))
                    @if let Some(pin) = &app.pin { " · held since " (words::ago(pin.at, now)) }
                }
            }
        }
    }
}

//! What happened, newest first: pushes, builds, releases, splits, alerts, scaling and flags in one
//! list.

use maud::{Markup, html};
use toehold_core::model::{Event, EventKind, Subject};

use super::super::{icon, words};
use super::AppPage;

pub(crate) fn part(page: &AppPage) -> Markup {
    html! {
        header.part { h2 { "Timeline" } }
        @if page.events.is_empty() { p.muted { "Nothing has happened yet." } }
        ol.timeline {
            @for event in page.events.iter().rev().filter(|event| event.kind != EventKind::StepEnded) {
                (line(page, event))
            }
        }
    }
}

fn line(page: &AppPage, event: &Event) -> Markup {
    html! {
        li class=(icon::tone(event.kind)) {
            (icon::icon(icon::of_event(event.kind)))
            span.text { (event.text) }
            span.when { (words::age(event.at, page.now)) }
            span.meta {
                @if let Some(of) = subject(&event.subject) {
                    a href=(format!("/apps/{}/why?of={of}", page.view.app)) title="why" { (event.subject) }
                }
                @if event.actor != "toehold" { span.actor { "by " (event.actor) } }
            }
        }
    }
}

/// How a subject is asked for, safe in an address; `None` for what has no story of its own.
fn subject(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Release(number) => Some(format!("%23{}", number.0)),
        Subject::Rollout(_) => Some("rollout".into()),
        Subject::Instance(id) => Some(id.short()),
        Subject::Alert(id) => Some(format!("alert/{id}")),
        Subject::Flag(key) => Some(format!("flag/{}", words::in_address(key))),
        Subject::App | Subject::Machine(_) | Subject::Toehold => None,
    }
}

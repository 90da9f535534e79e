//! Alerts: those that are raised, with what can be done about them; the others in short. What is
//! wrong with machines stands there too.

use maud::{Markup, html};
use toehold_core::model::{Alert, AlertPhase, Basis};

use super::super::{icon, words};
use super::AppPage;

/// How many of those that hold no more are listed.
const PAST: usize = 5;

pub(crate) fn part(page: &AppPage) -> Markup {
    let (raised, past): (Vec<&Alert>, Vec<&Alert>) =
        page.view.alerts.iter().rev().partition(|alert| alert.is_raised());
    html! {
        @if !raised.is_empty() {
            h2.sr { "Alerts" }
            @for alert in &raised { (one(page, alert)) }
        }
        @if !page.troubles.is_empty() { h2.sr { "Machines" } }
        @for trouble in &page.troubles {
            div.alert role="alert" { (icon::icon("machine")) div.what { (trouble) } }
        }
        @if !past.is_empty() {
            details.past data-key="past-alerts" {
                summary { (words::count(past.len() as u64, "earlier alert")) }
                ul {
                    @for alert in past.iter().take(PAST) {
                        li { (why_link(page, alert)) " " (sentence(alert)) @if let AlertPhase::Cleared { at, why } = &alert.phase { span.muted { " · cleared " (words::ago(*at, page.now)) ": " (why) } } }
                    }
                }
            }
        }
    }
}

fn sentence(alert: &Alert) -> String {
    let (about, track, release) = (alert.about(), alert.track, alert.release);
    match &alert.basis {
        Basis::Measured(it) => {
            let (value, threshold) = (words::percent(it.value), words::percent(it.threshold));
            format!("{about} ({track} {release}) was {value} over {threshold}")
        }
        Basis::Outside(it) => format!("{about} ({release}): {}", it.reason),
    }
}

fn why_link(page: &AppPage, alert: &Alert) -> Markup {
    html! { a href=(format!("/apps/{}/why?of=alert/{}", page.view.app, alert.id)) { "alert/" (alert.id) } }
}

fn one(page: &AppPage, alert: &Alert) -> Markup {
    let stale = matches!(alert.phase, AlertPhase::Raised { stale: true });
    html! {
        div.alert role="alert" {
            (icon::icon("alert"))
            div.what {
                @match &alert.basis {
                    Basis::Measured(it) => {
                        b { (it.metric.as_str()) " " (words::percent(it.value)) }
                        " on " (it.instance.short()) ", " (alert.track) " " (alert.release)
                        span.muted { " · over " (words::percent(it.threshold)) " · rule " (alert.rule) }
                    }
                    Basis::Outside(it) => {
                        b { (alert.rule) }
                        " " (it.reason) ", " (alert.track) " " (alert.release)
                        span.muted { " · told from outside" }
                    }
                }
                span.muted {
                    " · raised "
                    (words::ago(alert.raised_at, page.now)) " · " (why_link(page, alert))
                }
                @if stale { span.muted { " · no samples come: this may be old" } }
                @if let Some(by) = &alert.acknowledged_by { span.muted { " · seen by " (by) } }
            }
            @if page.viewer.may_deploy {
                @if alert.acknowledged_by.is_none() { (button(page, alert, "ack_alert", "I have seen it")) }
                (button(page, alert, "silence_alert", "Silence for 4 h"))
                (button(page, alert, "clear_alert", "Count as cleared"))
            }
        }
    }
}

fn button(page: &AppPage, alert: &Alert, wish: &str, label: &str) -> Markup {
    html! {
        form method="post" action=(page.deeds()) {
            input type="hidden" name="wish" value=(wish);
            input type="hidden" name="alert" value=(alert.id);
            button.small { (label) }
        }
    }
}

//! What the app is, how it is, and what can be done about it.

use maud::{Markup, html};
use toehold_core::model::{RolloutPhase, Split};
use toehold_core::wire::api::{AppView, ReleaseView};

use super::super::{icon, words};
use super::{AppPage, actions};

pub(crate) fn part(page: &AppPage) -> Markup {
    let view = &page.view;
    let serving = view.serving.and_then(|number| page.release(number));
    let (tone, sentence) = situation(view);
    html! {
        div.title {
            h1 { (view.app) }
            @if let Some(url) = view.urls.first() {
                a.url href=(url) rel="noopener noreferrer" { (url) }
            }
            @if let Some(ReleaseView { release, .. }) = serving {
                p.release {
                    b { (release.number) } " "
                    code { (release.branch) "@" (release.commit.short()) } " "
                    span.subject { (release.subject) }
                    span.muted { " built " (words::ago(release.made_at, page.now)) }
                }
            }
        }
        p class=(format!("situation {tone}")) role="status" { (sentence) }
        @if let Some(failed) = &view.failed {
            p."situation bad" {
                span {
                    a href=(format!("/apps/{}/builds/{}", view.app, failed.number.0)) { (failed.number) }
                    " failed: " (failed.why)
                }
            }
        }
        @if let Some(pin) = &view.pin {
            p."situation warn" {
                (icon::icon("pin"))
                span {
                    "Automatic deploys are held: " (pin.by) " went back to " (pin.release) ", "
                    (words::ago(pin.at, page.now)) "."
                }
            }
        }
        @if let Some(split) = view.split { (split_bar(view, split)) }
        (actions::part(page))
    }
}

/// One sentence on how it is: what someone who was woken wants to know first.
pub(crate) fn situation(view: &AppView) -> (&'static str, String) {
    let Some(serving) = view.serving else {
        return match (view.wanted, view.building) {
            (Some(wanted), _) => ("busy", format!("{wanted} starts; nothing serves yet.")),
            (None, Some(build)) => ("busy", format!("Build {build} runs; nothing serves yet.")),
            (None, None) => (
                "busy",
                "Nothing serves yet: push to its branch main (git push toehold main).".into(),
            ),
        };
    };
    if let Some(wanted) = view.wanted.filter(|wanted| *wanted != serving) {
        return (
            "busy",
            format!("{wanted} is to serve everyone; {serving} does until it is healthy."),
        );
    }
    let Some(rollout) = &view.rollout else {
        return ("good", format!("Everyone gets {serving}."));
    };
    let canary = rollout.release;
    let share = words::split_share(view.split.unwrap_or(rollout.split).canary_share());
    match &rollout.phase {
        RolloutPhase::Starting => (
            "busy",
            format!("Canary {canary} starts; everyone gets {serving} until it is healthy."),
        ),
        RolloutPhase::Serving => {
            let waits = match view.step.as_ref().filter(|step| step.waits) {
                Some(_) => " It waits for approval.",
                None => "",
            };
            let takes =
                format!("Canary {canary} takes {share} of requests beside stable {serving}.");
            ("busy", takes + waits)
        }
        RolloutPhase::Paused => (
            "busy",
            format!(
                "Canary {canary} keeps its {share} beside stable {serving}: its steps are paused."
            ),
        ),
        RolloutPhase::Held { why, .. } => {
            ("bad", format!("Everyone gets stable {serving}. Canary {canary} is held: {why}."))
        }
        RolloutPhase::Promoting => (
            "busy",
            format!("{canary} becomes stable; it keeps its {share} until it serves everyone."),
        ),
        RolloutPhase::Promoted => ("good", format!("Everyone gets {serving}.")),
        RolloutPhase::Aborted { why } => {
            ("good", format!("Everyone gets {serving}. Canary {canary} was given up: {why}."))
        }
    }
}

/// The share of each track, as it is in force.
fn split_bar(view: &AppView, split: Split) -> Markup {
    let canary = split.canary_share() * 100.0;
    let stable = 100.0 - canary;
    let of = |track: &str, share: f64| format!("{track} {}", words::split_share(share / 100.0));
    let release = |number: Option<_>| number.map_or_else(String::new, |it| format!(" {it}"));
    let running = view.rollout.as_ref().filter(|rollout| rollout.phase.runs());
    html! {
        div.split role="img" aria-label=(format!("{}, {}", of("stable", stable), of("canary", canary))) {
            svg.shares width="100%" height="12" aria-hidden="true" {
                rect.stable x="0" y="0" width=(format!("{stable:.3}%")) height="12" {}
                @if canary > 0.0 {
                    rect.canary x=(format!("{stable:.3}%")) y="0" width=(format!("{canary:.3}%")) height="12" {}
                }
            }
            div.legend {
                span.stable {
                    b { (words::split_share(stable / 100.0)) } " stable" (release(view.serving))
                }
                @if let Some(rollout) = running {
                    span.canary {
                        "canary" (release(Some(rollout.release))) " "
                        b { (words::split_share(canary / 100.0)) }
                    }
                }
            }
        }
    }
}

//! Builds and the releases they became.

use maud::{Markup, html};
use toehold_core::model::{Build, BuildPhase};

use super::super::build::{failure, steps};
use super::super::words;
use super::AppPage;

/// How many are listed.
const SHOWN: usize = 12;

pub(crate) fn part(page: &AppPage) -> Markup {
    html! {
        header.part { h2 { "Builds and releases" } }
        @if page.builds.is_empty() { p.muted { "None yet." } }
        @for (place, build) in page.builds.iter().take(SHOWN).enumerate() { (one(page, build, place == 0)) }
    }
}

fn one(page: &AppPage, build: &Build, newest: bool) -> Markup {
    let (tone, word) = verdict(page, build);
    let open =
        newest && matches!(build.phase, BuildPhase::Failed { .. } | BuildPhase::Running { .. });
    let end = build.ended_at.unwrap_or(page.now);
    html! {
        details.build data-key=(format!("build-{}", build.number.0)) open[open] {
            summary {
                span class=(format!("dot {tone}")) aria-hidden="true" {}
                b { (build.number) }
                span.subject { (build.subject) }
                span class=(format!("state {tone}")) { (word) }
                span.meta {
                    span class=(format!("tag {}", build.track)) { (build.track) }
                    " " code { (build.branch) "@" (build.commit.short()) }
                    " · " (author(&build.author))
                    " · " (words::age(build.queued_at, page.now))
                }
            }
            div.inside {
                (steps(build))
                @if let BuildPhase::Failed { failure: why } = &build.phase { (failure(why)) }
                @if let BuildPhase::Cancelled { why } = &build.phase { p.muted { (why) } }
                p.muted {
                    @if let Some(began) = build.started_at {
                        (words::took(u64::try_from(end.since(began).as_millis()).unwrap_or(u64::MAX))) " · "
                    }
                    a href=(format!("/apps/{}/builds/{}", page.view.app, build.number.0)) { "everything it said" }
                    " · "
                    a href=(format!("/apps/{}/why?of=%23{}", page.view.app, build.number.0)) { "why" }
                }
            }
        }
    }
}

/// The name of `Name <mail>`.
fn author(author: &str) -> &str {
    author.split('<').next().unwrap_or(author).trim()
}

/// What became of it: of the release, where there is one.
fn verdict(page: &AppPage, build: &Build) -> (&'static str, String) {
    match &build.phase {
        BuildPhase::Queued => ("busy", "waits".into()),
        BuildPhase::Running { step } => ("busy", format!("{step} …")),
        BuildPhase::Failed { failure } => ("bad", format!("failed: {}", failure.step)),
        BuildPhase::Superseded { by } => ("off", format!("gave way to {by}")),
        BuildPhase::Cancelled { .. } => ("off", "cancelled".into()),
        BuildPhase::Passed { .. } => match page.release(build.number).map(|it| it.state.as_str()) {
            Some("serving") => ("stable", "serves".into()),
            Some("canary") => ("canary", "canary".into()),
            Some(state) if state.starts_with("bad") => ("bad", state.to_owned()),
            Some(state) => ("good", state.to_owned()),
            None => ("good", "passed".into()),
        },
    }
}

//! Every instance: wished, seen and measured.

use maud::{Markup, html};
use toehold_core::model::{Goal, InstancePhase, InstanceStatus, MachineName, Track};
use toehold_core::wire::api::InstanceView;

use super::super::words;
use super::AppPage;

pub(crate) fn part(page: &AppPage) -> Markup {
    let instances = &page.view.instances;
    html! {
        header.part {
            h2 { "Instances" }
            span.muted { (counted(page)) }
        }
        @if instances.is_empty() {
            p.muted { "None." }
        } @else {
            table.instances {
                thead {
                    tr {
                        th { "instance" } th { "release" } th { "state" } th { "last probe" }
                        th.number { "cpu" } th.number { "memory" } th.number { "in flight" }
                        th.number { "restarts" } th.number { "age" }
                    }
                }
                tbody { @for view in instances { (row(page, view)) } }
            }
        }
    }
}

/// How many there are of each track, and who says how many there should be.
fn counted(page: &AppPage) -> String {
    let of = |track| page.view.instances.iter().filter(|it| it.instance.track == track).count();
    let scale = &page.view.scale;
    let who = scale.mode.words();
    let canary = match of(Track::Canary) {
        0 => String::new(),
        count => format!(" · {count} canary"),
    };
    format!("{} stable of {} wanted, {who}{canary}", of(Track::Stable), scale.wanted)
}

fn row(page: &AppPage, view: &InstanceView) -> Markup {
    let instance = &view.instance;
    let status = view.status.as_ref();
    let (tone, state, more) = state(view);
    let reading = status.and_then(|it| it.reading);
    let elsewhere = instance.place.as_ref().filter(|it| it.machine != MachineName::local());
    let began = status.and_then(|it| it.started_at).unwrap_or(instance.created_at);
    html! {
        tr class=(tone) {
            th scope="row" {
                a href=(format!("/apps/{}/log/{}", page.view.app, instance.id.short())) title="its log" { (instance.id.short()) }
                @if let Some(place) = elsewhere { " " span.more { "on " (place.machine) } }
            }
            td data-name="release" { span class=(format!("tag {}", instance.track)) { (instance.track) } " " (instance.release) }
            td data-name="state" { span class=(format!("state {tone}")) { (state) } @if let Some(more) = more { " " span.more { (more) } } }
            td.probe data-name="last probe" { (probe(status)) }
            td.number data-name="cpu" { (meter(reading.map(|it| it.cpu_percent), "cpu")) }
            td.number data-name="memory" title=[reading.map(|it| words::bytes(it.memory_bytes))] { (meter(reading.map(|it| it.memory_percent), "memory")) }
            td.number data-name="in flight" { (view.in_flight) }
            td.number data-name="restarts" { (status.map_or(0, |it| it.restarts)) }
            td.number data-name="age" { (words::age(began, page.now)) }
        }
    }
}

/// A tone, a word and what there is to say beyond it.
fn state(view: &InstanceView) -> (&'static str, &'static str, Option<String>) {
    let Some(status) = &view.status else {
        return ("busy", "unheard", Some("its agent has said nothing of it yet".into()));
    };
    let exit = || status.last_exit.as_ref().map(|exit| exit.how.clone());
    if let Some(why) = &view.set_aside {
        return ("bad", "set aside", Some(why.clone()));
    }
    match (&view.instance.goal, &status.phase) {
        (_, InstancePhase::Failed { why }) => ("bad", "failed", Some(why.clone())),
        (_, InstancePhase::Backoff { .. }) => ("bad", "waits to restart", exit()),
        (_, InstancePhase::Stopped) => ("off", "ended", exit()),
        (Goal::Stop, _) | (_, InstancePhase::Stopping) => ("off", "ending", None),
        (Goal::Drain { .. }, _) => ("off", "draining", None),
        (Goal::Run, InstancePhase::Starting) => ("busy", "starting", None),
        (Goal::Run, InstancePhase::Running) if status.healthy => ("good", "healthy", None),
        (Goal::Run, InstancePhase::Running) => match status.healthy_since {
            Some(_) => ("bad", "unhealthy", None),
            None => ("busy", "starting", None),
        },
    }
}

fn probe(status: Option<&InstanceStatus>) -> Markup {
    let Some(evidence) = status.and_then(|it| it.evidence.as_ref()) else { return html! { "–" } };
    html! {
        span class=(if evidence.passed { "ok" } else { "not" }) title=(evidence.body) {
            (evidence.answer)
        }
        " " span.muted { (evidence.asked) " · " (evidence.took_ms) " ms" }
    }
}

/// A percentage with a bar beside it.
fn meter(percent: Option<f64>, what: &str) -> Markup {
    let Some(percent) = percent else { return html! { "–" } };
    let shown = percent.clamp(0.0, 100.0);
    let look = if percent > 85.0 {
        "bad"
    } else if percent > 45.0 {
        "warn"
    } else {
        "good"
    };
    html! {
        span.meter {
            svg width="40" height="6" role="img" aria-label=(format!("{what} {percent:.0} percent")) {
                rect.rail x="0" y="0" width="40" height="6" rx="3" {}
                rect class=(look) x="0" y="0" width=(format!("{:.1}", shown * 0.4)) height="6" rx="3" {}
            }
            span { (format!("{percent:.0}%")) }
        }
    }
}

//! Stable and canary side by side, on the same axes.

use maud::{Markup, html};
use toehold_core::model::{EventKind, Number, RolloutPhase, Track};
use toehold_core::wire::api::TrackTraffic;

use super::super::chart::{BUCKET_SECONDS, Chart, Line, Mark, top};
use super::super::{icon, words};
use super::{AppPage, Beat, Pulse};

/// What is drawn of a beat.
type Measure = fn(&Beat) -> Option<f64>;

/// What is drawn: its name, how it is measured, the least top of its axis, how it is said.
const PICTURES: [(&str, Measure, f64, fn(f64) -> String); 3] = [
    ("requests / s", requests, 1.0, words::rate),
    ("errors", errors, 0.01, words::share),
    ("p95 latency", latency, 10.0, words::milliseconds),
];

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn requests(beat: &Beat) -> Option<f64> {
    Some(beat.requests as f64 / BUCKET_SECONDS as f64)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn errors(beat: &Beat) -> Option<f64> {
    (beat.requests > 0).then(|| beat.errors as f64 / beat.requests as f64)
}

#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^52 µs")]
fn latency(beat: &Beat) -> Option<f64> {
    beat.p95_us.map(|us| us as f64 / 1_000.0)
}

pub(crate) fn part(page: &AppPage) -> Markup {
    let marks = marks(page);
    html! {
        h2.sr { "Stable and canary" }
        div.columns {
            @for track in Track::ALL {
                div class=(format!("column {track}")) { (column(page, track, &marks)) }
            }
        }
    }
}

/// The release a track shows now.
fn shown(page: &AppPage, track: Track) -> Option<Number> {
    match track {
        Track::Stable => page.view.serving,
        Track::Canary => {
            page.view.rollout.as_ref().filter(|it| it.phase.runs()).map(|it| it.release)
        }
    }
}

fn column(page: &AppPage, track: Track, marks: &[Mark]) -> Markup {
    let Some(number) = shown(page, track) else { return empty(page, track) };
    let release = page.release(number).map(|it| &it.release);
    let traffic = page.view.traffic.iter().find(|it| it.track == track && it.release == number);
    html! {
        header {
            h3 { (track) " " b { (number) } }
            @if let Some(release) = release {
                code { (release.commit.short()) } " "
                span.subject { (release.subject) }
            }
        }
        (figures(traffic))
        @for (name, measure, least, say) in PICTURES {
            (picture(page, track, number, marks, (name, measure, least, say)))
        }
        p.axis aria-hidden="true" { span { "10 min ago" } span { "5" } span { "now" } }
    }
}

fn figures(traffic: Option<&TrackTraffic>) -> Markup {
    let none = || "–".to_owned();
    let latency = |us: Option<u64>| us.map_or_else(none, words::latency);
    html! {
        dl.figures {
            div { dt { "requests / s" } dd { (traffic.map_or_else(none, |it| words::rate(it.requests_per_second))) } }
            div class=[traffic.filter(|it| it.error_share >= 0.01).map(|_| "bad")] {
                dt { "errors" } dd { (traffic.map_or_else(none, |it| words::share(it.error_share))) }
            }
            div { dt { "p50" } dd { (latency(traffic.and_then(|it| it.p50_us))) } }
            div { dt { "p95" } dd { (latency(traffic.and_then(|it| it.p95_us))) } }
            div { dt { "requests" } dd { (traffic.map_or_else(none, |it| words::grouped(it.requests))) } }
        }
    }
}

fn picture(
    page: &AppPage,
    track: Track,
    number: Number,
    marks: &[Mark],
    (name, measure, least, say): (&str, Measure, f64, fn(f64) -> String),
) -> Markup {
    let all = page.series.iter().flat_map(|pulse| &pulse.beats).filter_map(measure);
    let top = top(all.fold(0.0, f64::max), least);
    let line = |pulse: &Pulse, look, filled| Line {
        values: pulse.beats.iter().map(measure).collect(),
        look,
        filled,
    };
    let of_track = |pulse: &&Pulse| pulse.track == track;
    let mut lines: Vec<Line> = page
        .series
        .iter()
        .filter(of_track)
        .filter(|pulse| pulse.release != number)
        .map(|pulse| line(pulse, "earlier", false))
        .collect();
    let now = page.series.iter().filter(of_track).find(|pulse| pulse.release == number);
    lines.extend(now.map(|pulse| line(pulse, track.as_str(), true)));
    Chart { name, lines, top, say, marks, now: page.now }.draw()
}

fn empty(page: &AppPage, track: Track) -> Markup {
    let ended = page.view.rollout.as_ref().map(|rollout| (rollout.release, &rollout.phase));
    html! {
        header { h3 { (track) } }
        div.empty {
            (icon::icon("split"))
            @match (track, ended) {
                (Track::Stable, _) => p { "No release serves yet." },
                (Track::Canary, Some((number, RolloutPhase::Promoted))) => {
                    p { "No canary. The last, " b { (number) } ", was promoted." }
                }
                (Track::Canary, Some((number, RolloutPhase::Aborted { why }))) => {
                    p { "No canary. The last, " b { (number) } ", was given up: " (why) "." }
                }
                (Track::Canary, _) => p { "No canary." },
            }
            @if track == Track::Canary {
                p.muted { "Push to the branch " code { "canary" } " to try a release beside stable, on a share of the requests." }
            }
        }
    }
}

/// What is drawn across the pictures: what may have changed them.
fn marks(page: &AppPage) -> Vec<Mark> {
    let drawn = |kind| {
        matches!(
            kind,
            EventKind::DeployDone
                | EventKind::RollbackStarted
                | EventKind::RolloutSplit
                | EventKind::RolloutHeld
                | EventKind::RolloutAborted
                | EventKind::RolloutPromoted
                | EventKind::RolloutRetried
                | EventKind::AlertRaised
                | EventKind::ScaledOut
                | EventKind::ScaledIn
                | EventKind::FlagChanged
        )
    };
    let events = page.events.iter().filter(|event| drawn(event.kind));
    events
        .map(|event| Mark { at: event.at, text: event.text.clone(), tone: icon::tone(event.kind) })
        .collect()
}

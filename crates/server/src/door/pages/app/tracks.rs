//! Stable and canary side by side, on the same axes.

use maud::{Markup, html};
use toehold_core::model::{EventKind, Number, RolloutPhase, Track};
use toehold_core::wire::api::TrackTraffic;

use super::super::chart::{BUCKET_SECONDS, Chart, Line, Mark, top};
use super::super::{icon, words};
use super::{AppPage, Beat, Pulse};

/// Something that is drawn.
struct Picture {
    /// What it is called.
    name: &'static str,
    /// Its value in a beat; `None` leaves a gap.
    of: fn(&Beat) -> Option<f64>,
    /// The least its axis reaches to.
    least: f64,
    /// How a value is said.
    say: fn(f64) -> String,
}

const PICTURES: [Picture; 3] = [
    Picture { name: "requests / s", of: requests, least: 1.0, say: words::rate },
    Picture { name: "errors", of: errors, least: 0.01, say: words::share },
    Picture { name: "p95 latency", of: latency, least: 10.0, say: words::milliseconds },
];

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
#[expect(clippy::unnecessary_wraps, reason = "the others have gaps")]
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
        @for picture in &PICTURES { (drawn(page, track, number, marks, picture)) }
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

fn drawn(
    page: &AppPage,
    track: Track,
    number: Number,
    marks: &[Mark],
    picture: &Picture,
) -> Markup {
    let all = page.series.iter().flat_map(|pulse| &pulse.beats).filter_map(picture.of);
    let top = top(all.fold(0.0, f64::max), picture.least);
    let line = |pulse: &Pulse, look, filled| {
        let values = pulse.beats.iter().map(picture.of).collect();
        Line { values, look, filled }
    };
    let of_track = || page.series.iter().filter(|pulse| pulse.track == track);
    let mut lines: Vec<Line> = of_track()
        .filter(|pulse| pulse.release != number)
        .map(|pulse| line(pulse, "earlier", false))
        .collect();
    let now = of_track().find(|pulse| pulse.release == number);
    lines.extend(now.map(|pulse| line(pulse, track.as_str(), true)));
    let Picture { name, say, .. } = *picture;
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

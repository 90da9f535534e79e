//! What the page of an app shows, put together.

use toehold_core::model::{AppName, Track};
use toehold_core::time::Timestamp;
use toehold_core::wire::agent::LogFrom;
use toehold_core::wire::api::AppView;
use toehold_core::wire::proxy::Histogram;

use crate::control::Span;
use crate::door::Door;
use crate::door::api::apps::seen_by;
use crate::door::caller::Caller;
use crate::door::pages::Viewer;
use crate::door::pages::app::{AppPage, Beat, Pulse, Said};
use crate::door::pages::chart::{BUCKET_SECONDS, BUCKETS};
use crate::door::problem::Unable;
use crate::metrics::{Second, Series};

/// How many events the timeline reads.
const EVENTS: usize = 120;

/// How many builds and releases are looked at.
const BUILDS: usize = 40;

/// How much of a log is shown at first, in bytes.
const TAIL: u64 = 16 * 1024;

/// Everything but the log.
pub(crate) async fn page(door: &Door, caller: &Caller, app: &AppName) -> Result<AppPage, Unable> {
    let control = &door.control;
    let view = control.view(app).await?;
    let mut releases = control.releases(app).await?;
    releases.truncate(BUILDS);
    let mut builds = control.builds(app).await?;
    builds.truncate(BUILDS);
    let flags = control.flags().of(app);
    let flags = flags.flags.iter().map(|(key, flag)| (key.to_string(), flag.value)).collect();
    let now = control.clock().now();
    Ok(AppPage {
        view,
        releases,
        builds,
        events: control.events(Some(app), Span::Last, EVENTS).await?,
        troubles: control.machine_troubles(app),
        flags,
        series: pulses(door, app, now),
        said: None,
        apps: seen_by(door, caller).await,
        viewer: viewer(caller, Some(app)),
        now,
    })
}

/// What somebody may do on a page.
pub(crate) fn viewer(caller: &Caller, app: Option<&AppName>) -> Viewer {
    Viewer {
        actor: caller.actor().to_owned(),
        may_deploy: app.is_some_and(|app| caller.may_deploy(app)),
        may_flag: app.is_some_and(|app| caller.may_flag(app)),
        may_log_out: caller.has_session(),
    }
}

/// The end of the log of the newest instance, the canary's first; none where it cannot be had.
pub(crate) async fn said(door: &Door, view: &AppView) -> Option<Said> {
    let of = |track| view.instances.iter().rev().find(|it| it.instance.track == track);
    let id = &of(Track::Canary).or_else(|| of(Track::Stable))?.instance.id;
    let piece = door.control.instance_log(id, LogFrom::Tail(TAIL), TAIL).await.ok()?;
    Some(Said { by: id.short(), text: piece.text, next: piece.end })
}

fn pulses(door: &Door, app: &AppName, now: Timestamp) -> Vec<Pulse> {
    // Only whole beats: a beat that has just begun would look like a fall.
    let beat_ms = BUCKET_SECONDS * 1_000;
    let end = Timestamp::from_ms((now.as_ms() / beat_ms * beat_ms).saturating_sub(1));
    let metrics = door.control.metrics();
    let pulse = |(track, release, series): (_, _, &Series)| {
        let seconds = series.last(end, BUCKET_SECONDS * BUCKETS as u64);
        let width = usize::try_from(BUCKET_SECONDS).unwrap_or(1);
        Pulse { track, release, beats: seconds.chunks(width).map(beat).collect() }
    };
    metrics.of(app).map(pulse).collect()
}

fn beat(seconds: &[Second]) -> Beat {
    let mut latency = Histogram::default();
    for second in seconds {
        latency.add(&second.latency);
    }
    Beat {
        requests: seconds.iter().map(|it| it.ended).sum(),
        errors: seconds.iter().map(|it| it.errors).sum(),
        p50_us: latency.quantile_us(0.5),
        p95_us: latency.quantile_us(0.95),
    }
}

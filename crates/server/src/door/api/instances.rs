//! Instances: what they say, and what their releases served.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use toehold_core::model::{AppName, InstanceId, Number, Track};
use toehold_core::time::Timestamp;
use toehold_core::wire::agent::{LogFrom, LogPiece};

use crate::door::Door;
use crate::door::extract::{Asked, At};
use crate::door::problem::Unable;

/// The largest piece of a log in one answer, in bytes.
const LARGEST_PIECE: u64 = 1024 * 1024;

/// A piece where nobody says how large, in bytes.
const PIECE: u64 = 64 * 1024;

/// How many seconds the metrics reach back.
const SECONDS: u64 = 600;

/// Which piece of a log: by `offset` (bytes), `since` (milliseconds since 1970) or `tail` (bytes
/// before the end), at most `max` bytes.
#[derive(Deserialize)]
pub(crate) struct Piece {
    offset: Option<u64>,
    since: Option<u64>,
    tail: Option<u64>,
    max: Option<u64>,
}

/// What a release served on a track in each of the last seconds.
#[derive(Serialize)]
pub(crate) struct Served {
    track: Track,
    release: Number,
    /// The second of the first entry, since 1970.
    from_s: u64,
    /// Requests that ended.
    requests: Vec<u64>,
    /// Of those: 5xx and unanswered.
    errors: Vec<u64>,
    /// Median latency, in microseconds; null where nothing was answered.
    p50_us: Vec<Option<u64>>,
    /// 95th percentile, in microseconds.
    p95_us: Vec<Option<u64>>,
}

impl Piece {
    fn from(&self) -> LogFrom {
        match (self.offset, self.since, self.tail) {
            (Some(offset), _, _) => LogFrom::Offset(offset),
            (None, Some(since), _) => LogFrom::Since(Timestamp::from_ms(since)),
            (None, None, tail) => LogFrom::Tail(tail.unwrap_or(PIECE)),
        }
    }
}

pub(crate) async fn log(
    State(door): State<Door>,
    At((app, instance)): At<(AppName, String)>,
    Asked(piece): Asked<Piece>,
) -> Result<Json<LogPiece>, Unable> {
    let id = named(app, &instance)?;
    let max = piece.max.unwrap_or(PIECE).clamp(1, LARGEST_PIECE);
    Ok(Json(door.control.instance_log(&id, piece.from(), max).await?))
}

/// `web.3` or `3`.
pub(crate) fn named(app: AppName, instance: &str) -> Result<InstanceId, Unable> {
    let ordinal = instance.strip_prefix("web.").unwrap_or(instance).parse();
    ordinal.map(|ordinal| InstanceId::new(app, ordinal)).map_err(|_| {
        let title = "an instance is written as web.3 or 3";
        Unable::bad_request("instance_unreadable", title).hint("toehold status")
    })
}

pub(crate) async fn metrics(
    State(door): State<Door>,
    At(app): At<AppName>,
) -> Result<Json<Vec<Served>>, Unable> {
    door.control.view(&app).await?;
    let now = door.control.clock().now();
    let metrics = door.control.metrics();
    let served = metrics.of(&app).map(|(track, release, series)| {
        let seconds = series.last(now, SECONDS);
        Served {
            track,
            release,
            from_s: (now.as_ms() / 1_000 + 1).saturating_sub(SECONDS),
            requests: seconds.iter().map(|it| it.ended).collect(),
            errors: seconds.iter().map(|it| it.errors).collect(),
            p50_us: seconds.iter().map(|it| it.latency.quantile_us(0.5)).collect(),
            p95_us: seconds.iter().map(|it| it.latency.quantile_us(0.95)).collect(),
        }
    });
    Ok(Json(served.collect()))
}

//! What the proxy counted, kept by the second for ten minutes: the rates, error shares and
//! latencies people look at. The judge reads the counters themselves.

mod family;
mod page;
mod series;
mod tally;

use std::collections::BTreeMap;
use std::time::Duration;

use toehold_core::model::{AppName, InstanceId, Number, Track};
use toehold_core::time::Timestamp;
use toehold_core::wire::api::TrackTraffic;
use toehold_core::wire::proxy::{InstanceCounters, ProxyReport};

pub use family::{FAMILIES, Family, Kind, Page};
pub use page::Text;
pub use series::{Second, Series};
pub use tally::{CLASSES, Outcome, Tally};

/// How much of the past the rates shown speak of.
const SHOWN_SECONDS: u64 = 60;

/// A proxy that began longer ago than this has reported to somebody before.
const LONGEST_BETWEEN_REPORTS: Duration = Duration::from_secs(2);

/// When a proxy that says nothing more is forgotten.
const FORGOTTEN: Duration = Duration::from_hours(1);

/// The counters of every app, by second.
#[derive(Default)]
pub struct Metrics {
    /// What the control plane itself counts.
    pub tally: Tally,
    /// By when the proxy that counts began; each counts from 0. While one takes over from another
    /// there are two.
    proxies: BTreeMap<Timestamp, Counted>,
    series: BTreeMap<(AppName, Track, Number), Series>,
}

/// What a proxy counted last.
#[derive(Default)]
struct Counted {
    at: Timestamp,
    last: BTreeMap<InstanceId, InstanceCounters>,
}

impl Metrics {
    /// Takes in a report, once: what was counted since the one before goes to the second it came in.
    pub fn take(&mut self, report: &ProxyReport) {
        // What a proxy counted before this control plane began was counted nobody knows when: it
        // would look like a second in which everybody came at once.
        let is_of_before = !self.proxies.contains_key(&report.started_at)
            && report.at.since(report.started_at) > LONGEST_BETWEEN_REPORTS;
        let counted = self.proxies.entry(report.started_at).or_default();
        if counted.at == report.at {
            return;
        }
        let last = std::mem::take(&mut counted.last);
        for now in &report.instances {
            let grown = match last.get(&now.instance) {
                Some(before) => Second::between(before, now),
                None => Second::of(now),
            };
            let key = (now.instance.app().clone(), now.track, now.release);
            let series = self.series.entry(key).or_default();
            if is_of_before {
                series.add_before(report.at, &grown);
            } else {
                series.add(report.at, &grown);
            }
        }
        let now = report.instances.iter().map(|now| (now.instance.clone(), now.clone()));
        let now = Counted { at: report.at, last: now.collect() };
        self.proxies.insert(report.started_at, now);
        self.proxies.retain(|_, counted| report.at.since(counted.at) < FORGOTTEN);
        self.series.retain(|_, series| series.is_kept(report.at));
    }

    /// The last minute of an app, stable first; for each track the releases that served in it.
    #[must_use]
    pub fn traffic(&self, app: &AppName, now: Timestamp) -> Vec<TrackTraffic> {
        self.of(app)
            .map(|(track, release, series)| {
                let (minute, seconds) = series.sum(now, SHOWN_SECONDS);
                TrackTraffic {
                    track,
                    release,
                    requests_per_second: minute.rate(seconds),
                    requests: series.total(),
                    error_share: minute.error_share(),
                    p50_us: minute.latency.quantile_us(0.5),
                    p95_us: minute.latency.quantile_us(0.95),
                }
            })
            .collect()
    }

    /// The seconds of each track and release of an app, for pictures.
    pub fn of(&self, app: &AppName) -> impl Iterator<Item = (Track, Number, &Series)> {
        self.series
            .iter()
            .filter(move |((of, _, _), _)| of == app)
            .map(|((_, track, release), series)| (*track, *release, series))
    }
}

#[cfg(test)]
mod tests;

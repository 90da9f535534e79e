//! Between control plane and proxy.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{AppName, Arm, InstanceId, Number, Track};
use crate::time::Timestamp;
use crate::wire::Order;
use crate::wire::certificates::Certificates;

/// What the control plane says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToProxy {
    /// Every route there is.
    Routes(Routes),
    /// Every certificate there is, and every proof for a CA. Not said where none ever was.
    Certificates(Certificates),
}

/// Every route there is. What is not in it is not served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    /// Its place in the order of plans.
    pub order: Order,
    /// One an app.
    pub apps: Vec<AppRoute>,
    /// Signs the sticky cookies, in hex; the same for all proxies.
    pub cookie_key: String,
}

/// The route of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppRoute {
    /// The app.
    pub app: AppName,
    /// [`crate::model::Route::rev`]: counted by app.
    pub rev: u64,
    /// The hosts it answers to, lower case. `<app>.localhost` is always among them; an app that is
    /// alone answers to every host.
    pub hosts: Vec<String>,
    /// Shares and instances.
    pub arms: Vec<Arm>,
    /// Whether visitors stay on the track first drawn.
    pub sticky: bool,
    /// The longest a request may take to be answered.
    pub timeout: Duration,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: u64,
    /// Who knows it names the track to be served by ([`TRACK_HEADER`], [`TRACK_COOKIE`]). Empty:
    /// nobody does.
    #[serde(default)]
    pub track_key: TrackKey,
}

/// The header that names a track, in lower case; its value is `canary.SECRET` or `stable.SECRET`.
pub const TRACK_HEADER: &str = "x-toehold-track";

/// The cookie that does the same. The names of sticky ones begin otherwise, whatever an app is
/// called.
pub const TRACK_COOKIE: &str = "toehold-track";

/// An app's secret by which a track is named. It is sent and kept, and shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackKey(String);

impl TrackKey {
    /// Takes it in.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The secret itself: to be compared, never logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TrackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the proxy says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum FromProxy {
    /// The first message of a link.
    Hello {
        /// The proxy's version.
        version: String,
        /// The public addresses it listens on.
        listens: Vec<String>,
    },
    /// Routes are in force: no request begun after `at_us` saw the ones before.
    Applied {
        /// Which.
        order: Order,
        /// When, in microseconds since 1970, by the machine's clock.
        at_us: u64,
    },
    /// Routes were refused; the ones before stay in force.
    Refused {
        /// Which.
        order: Order,
        /// Why.
        why: String,
    },
    /// Certificates are in force: no handshake begun after it sees the ones before, and what the CA
    /// asks for is answered.
    Certified {
        /// [`Certificates::serial`].
        serial: u64,
    },
    /// Certificates were refused; the ones before stay in force.
    Uncertified {
        /// [`Certificates::serial`].
        serial: u64,
        /// Why.
        why: String,
    },
    /// Counters, each half second and at each change of an instance's health.
    Report(ProxyReport),
}

/// What the proxy has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProxyReport {
    /// The machine's clock.
    pub at: Timestamp,
    /// The routes in force.
    pub applied: Order,
    /// When this proxy process began; counters begin anew with it.
    pub started_at: Timestamp,
    /// By instance. An instance that is out of the routes stays here while it has requests in
    /// flight, and for a minute after.
    pub instances: Vec<InstanceCounters>,
    /// Requests answered by the proxy itself, by app: no route (404) has none.
    pub refused: Vec<RefusedCounter>,
    /// Lines of the access log that could not be written fast enough.
    #[serde(default)]
    pub access_lines_dropped: u64,
}

/// What was counted of one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceCounters {
    /// Which.
    pub instance: InstanceId,
    /// Its release.
    pub release: Number,
    /// The track it was routed as.
    pub track: Track,
    /// Requests in flight now, upgraded connections included.
    pub in_flight: u64,
    /// Requests begun.
    pub started: u64,
    /// Requests answered, by the first digit of the status: 1xx to 5xx.
    pub answered: [u64; 5],
    /// Requests that got no answer from it: refused, reset, timed out.
    pub failed: u64,
    /// Requests that were tried elsewhere after they had failed here.
    pub retried: u64,
    /// Bytes that were sent to it, heads included.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes that came from it, heads included.
    #[serde(default)]
    pub bytes_out: u64,
    /// Latency of answered requests.
    pub latency: Histogram,
    /// When its last request began, in microseconds since 1970; 0 before the first. Those of who
    /// named the track aside: they say nothing about the routes.
    pub last_started_us: u64,
    /// Whether it is set aside because it failed, or is much slower than others, and why.
    pub set_aside: Option<String>,
    /// It is set aside though it can be reached: how it answers is the reason. Proxies before this
    /// one set nothing aside for that.
    #[serde(default)]
    pub reached: bool,
    /// How often it was set aside.
    #[serde(default)]
    pub ejections: u64,
}

impl InstanceCounters {
    /// Adds what another proxy counted of the same instance. What is no count stays.
    pub fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.started += other.started;
        for (mine, theirs) in self.answered.iter_mut().zip(other.answered) {
            *mine += theirs;
        }
        self.failed += other.failed;
        self.ejections += other.ejections;
        self.retried += other.retried;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.latency.add(&other.latency);
        self.last_started_us = self.last_started_us.max(other.last_started_us);
    }
}

impl ProxyReport {
    /// Adds what another proxy refused.
    pub fn add_refused(&mut self, others: &[RefusedCounter]) {
        for theirs in others {
            let is_same =
                |it: &&mut RefusedCounter| (&it.app, it.status) == (&theirs.app, theirs.status);
            match self.refused.iter_mut().find(is_same) {
                Some(mine) => mine.count += theirs.count,
                None => self.refused.push(theirs.clone()),
            }
        }
    }
}

/// Requests an app's visitors got no instance for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedCounter {
    /// The app.
    pub app: AppName,
    /// The status that was given.
    pub status: u16,
    /// How often.
    pub count: u64,
}

/// Counts by latency. Bucket `i` counts what took less than [`Histogram::bound_us`]`(i)` and not
/// less than the bound before; the last has no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(pub Vec<u64>);

impl Default for Histogram {
    fn default() -> Self {
        Self(vec![0; Self::BUCKETS])
    }
}

impl Histogram {
    /// How many buckets: four to each doubling, from 64 µs to 67 s.
    pub const BUCKETS: usize = 82;

    /// The bucket of something that took `us` microseconds.
    #[must_use]
    pub fn bucket(us: u64) -> usize {
        if us < 64 {
            return 0;
        }
        // log2 in quarters: the leading bit, then the two bits behind it.
        let log = u64::from(us.ilog2());
        let quarter = (us >> (log - 2)) & 3;
        let index = (log - 6) * 4 + quarter + 1;
        usize::try_from(index).unwrap_or(Self::BUCKETS).min(Self::BUCKETS - 1)
    }

    /// The upper bound of a bucket, in microseconds; `None` for the last.
    #[must_use]
    pub fn bound_us(bucket: usize) -> Option<u64> {
        if bucket + 1 >= Self::BUCKETS {
            return None;
        }
        let (doubling, quarter) = (bucket / 4, bucket as u64 % 4);
        Some((64 << doubling) + ((64 << doubling) / 4) * quarter)
    }

    /// Counts one that took `us` microseconds.
    pub fn count(&mut self, us: u64) {
        self.0.resize(Self::BUCKETS, 0);
        self.0[Self::bucket(us)] += 1;
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.0.resize(Self::BUCKETS, 0);
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// What was counted since `earlier`; buckets that shrank (a restart) count from 0.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |i: usize| earlier.0.get(i).copied().unwrap_or(0);
        Self(
            self.0
                .iter()
                .enumerate()
                .map(|(i, &now)| now.checked_sub(before(i)).unwrap_or(now))
                .collect(),
        )
    }

    /// The bound below which at least `share` (0 to 1) of what was counted lies, in microseconds;
    /// `None` where nothing was.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        let mut seen = 0;
        for (i, count) in self.0.iter().enumerate() {
            seen += count;
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            if seen as f64 >= share * total as f64 {
                return Some(Self::bound_us(i).unwrap_or(67_000_000));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_an_older_control_plane_are_read_and_a_secret_is_not_shown() {
        let older = r#"{"app":"shop","rev":1,"hosts":[],"arms":[],"sticky":false,
            "timeout":{"secs":30,"nanos":0},"max_body_bytes":1}"#;
        let mut route: AppRoute = serde_json::from_str(older).expect("it is read");
        assert_eq!(route.track_key.reveal(), "");
        route.track_key = TrackKey::new("sesame");
        assert!(serde_json::to_string(&route).expect("it is JSON").contains("sesame"));
        assert!(!format!("{route:?}").contains("sesame"));
    }

    #[test]
    fn a_report_of_an_older_proxy_is_read() {
        let older = r#"{"instance":"shop/web.1","release":1,"track":"stable","in_flight":0,
            "started":2,"answered":[0,2,0,0,0],"failed":0,"retried":0,"latency":[],
            "last_started_us":0,"set_aside":"it refuses connections"}"#;
        let counters: InstanceCounters = serde_json::from_str(older).expect("it is read");
        assert!(!counters.reached && counters.ejections == 0 && counters.set_aside.is_some());
    }

    #[test]
    fn each_bucket_ends_where_the_next_begins() {
        for bucket in 0..Histogram::BUCKETS - 1 {
            let bound = Histogram::bound_us(bucket).expect("only the last has none");
            assert_eq!(Histogram::bucket(bound - 1), bucket, "just below {bound}");
            assert_eq!(Histogram::bucket(bound), bucket + 1, "at {bound}");
        }
        assert_eq!(Histogram::bucket(u64::MAX), Histogram::BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_the_bound_above_it() {
        let mut latency = Histogram::default();
        for _ in 0..99 {
            latency.count(1_000);
        }
        latency.count(1_000_000);
        assert_eq!(latency.quantile_us(0.5), Some(1_024));
        assert_eq!(latency.quantile_us(1.0), Some(1_048_576));
        assert_eq!(Histogram::default().quantile_us(0.5), None);
    }
}

//! Between clients (the command, the dashboard's script, jobs) and `/api/v1`.

use serde::{Deserialize, Serialize};

use crate::model::{
    Alert, AppName, BranchName, CommitId, Instance, InstanceStatus, Machine, Number, Pin, Release,
    Rollout, Route, Scale, Split, Track,
};
use crate::time::Timestamp;
use crate::wire::agent::MachineReading;

/// The cookie of a person's session where the dashboard came by plain HTTP, as on a machine's own
/// loopback. Cookies know no ports: where an app has the same host, browsers send it there as well,
/// and the proxy takes it out.
pub const SESSION_COOKIE_PLAIN: &str = "toehold-session";

/// The same where the dashboard came by HTTPS: browsers let no other host set it.
pub const SESSION_COOKIE_SECURE: &str = "__Host-toehold-session";

/// `GET /api/v1/apps/{app}`: everything of an app at one glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppView {
    /// Its name.
    pub app: AppName,
    /// Where it is reached.
    pub urls: Vec<String>,
    /// The release that serves everyone.
    pub serving: Option<Number>,
    /// The release that should.
    pub wanted: Option<Number>,
    /// Where `toehold rollback` leads, where there is such a release.
    pub back_to: Option<Number>,
    /// The canary.
    pub rollout: Option<Rollout>,
    /// The step the canary is at, where it goes through steps.
    pub step: Option<StepView>,
    /// The split in force at the proxy.
    pub split: Option<Split>,
    /// Whether automatic deploys are held.
    pub pin: Option<Pin>,
    /// How many instances.
    pub scale: Scale,
    /// What the proxy was told.
    pub route: Route,
    /// Each instance, wished and seen.
    pub instances: Vec<InstanceView>,
    /// Alerts, newest last.
    pub alerts: Vec<Alert>,
    /// The last minute, by track.
    pub traffic: Vec<TrackTraffic>,
    /// The build that runs or waits.
    pub building: Option<Number>,
    /// What came last, where it failed: nobody is served by it.
    pub failed: Option<Failed>,
}

/// How to look at the canary before anyone else, whatever its share: what to send with each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookView {
    /// Where the app is reached.
    pub urls: Vec<String>,
    /// A header, as it is written: `X-Toehold-Track: canary.SECRET`.
    pub header: String,
    /// A cookie that does the same: `toehold-track=canary.SECRET`.
    pub cookie: String,
}

/// A step of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// Its place, counted from 1.
    pub number: usize,
    /// How many steps there are.
    pub of: usize,
    /// In words: `33.3 % (2:1) for 10 min`, `approval`.
    pub says: String,
    /// Whether it goes on only once somebody approves (`toehold rollout resume`).
    pub waits: bool,
}

/// A build that failed, or a release that could not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which.
    pub number: Number,
    /// In words.
    pub why: String,
}

/// An instance, wished and seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// What is wished.
    pub instance: Instance,
    /// What its agent says; `None` until it has said something.
    pub status: Option<InstanceStatus>,
    /// Requests in flight.
    pub in_flight: u64,
    /// Set aside by the proxy, and why.
    pub set_aside: Option<String>,
}

/// What a track served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackTraffic {
    /// The track.
    pub track: Track,
    /// Its release.
    pub release: Number,
    /// Requests a second over the last minute (or since it began).
    pub requests_per_second: f64,
    /// Requests since the proxy began to count this release.
    pub requests: u64,
    /// Share of 5xx and unanswered requests, from 0 to 1, over the last minute.
    pub error_share: f64,
    /// Median latency over the last minute, in microseconds.
    pub p50_us: Option<u64>,
    /// 95th percentile over the last minute, in microseconds.
    pub p95_us: Option<u64>,
}

/// `GET /api/v1/apps/{app}/releases`: one entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseView {
    /// The release.
    pub release: Release,
    /// `serving`, `canary`, `good`, `bad: …`, `untried`.
    pub state: String,
}

/// `POST /api/v1/apps/{app}/deploy`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeployRequest {
    /// The track; by the branch where absent.
    pub track: Option<Track>,
    /// The commit; the branch's head where absent.
    pub commit: Option<CommitId>,
    /// The branch; the first one of the track where absent.
    pub branch: Option<BranchName>,
    /// Deploy this release again, without a build.
    pub release: Option<Number>,
}

/// The answer where something was queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// The number of the build.
    pub number: Number,
    /// Whether it was there already: the same commit on the same track.
    pub already: bool,
}

/// The answer to a change: what is now so, and the event that says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// One sentence.
    pub text: String,
    /// The revision of the event; `None` where nothing had to change.
    pub event: Option<u64>,
}

/// A line of a build's output, for `GET /api/v1/apps/{app}/builds/{n}/log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Where to go on from.
    pub next: u64,
    /// The text, without its line feed.
    pub line: String,
}

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs: `app_not_found`.
    pub code: String,
    /// What could not be done and why, for people.
    pub title: String,
    /// One command to try; may be empty.
    #[serde(default)]
    pub hint: String,
}

/// A machine, wished and seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineView {
    /// What is known of it.
    pub machine: Machine,
    /// Whether its agent was heard within the last ten seconds.
    pub heard: bool,
    /// How many instances it has.
    pub instances: usize,
    /// What it has and uses, while its agent is heard.
    pub reading: Option<MachineReading>,
    /// What is being done with it, in words, where that takes a while.
    #[serde(default)]
    pub doing: Option<String>,
}

/// A host key, for a person to look at before it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKey {
    /// The key: `ssh-ed25519 AAAA…`.
    pub key: String,
    /// Its fingerprint: `SHA256:…`.
    pub fingerprint: String,
}

/// A token as it is listed: never its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenView {
    /// Its public part.
    pub id: String,
    /// What it was made for, in its maker's words.
    pub name: String,
    /// What it allows: `admin`, `read`, `deploy:shop`, `flag:shop`, `evaluate:shop`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

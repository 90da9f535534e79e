//! An app: what it should run, and how far that has come. One document in the store.

use serde::{Deserialize, Serialize};

use crate::model::{Alert, AppName, Instance, Number, Route, Silence, Split};
use crate::time::Timestamp;

/// All that is wished of one app and all that was settled about it, in one document: a decision
/// changes it in one step or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// When it was made.
    pub created_at: Timestamp,
    /// The release everyone should get; `None` until the first is built.
    pub stable: Option<Stable>,
    /// The canary, running or ended; replaced by the next.
    pub rollout: Option<Rollout>,
    /// Automatic deploys are held since a rollback.
    pub pin: Option<Pin>,
    /// How many instances stable should have.
    pub scale: Scale,
    /// Every instance that exists or should, oldest first.
    pub instances: Vec<Instance>,
    /// What the proxy should do.
    pub route: Route,
    /// Alerts that are raised, and the last few that were, oldest first.
    pub alerts: Vec<Alert>,
    /// Rules of which nobody is told for a while.
    #[serde(default)]
    pub silences: Vec<Silence>,
    /// Releases that served everyone, oldest first, the last of them the one that does now; a
    /// rollback goes to the one before. At most [`App::GOOD_KEPT`].
    pub good: Vec<Number>,
    /// The number the next build gets.
    pub next_number: u64,
    /// The number the next instance gets.
    pub next_instance: u64,
}

impl App {
    /// How many good releases are remembered.
    pub const GOOD_KEPT: usize = 20;

    /// How many ended alerts are remembered.
    pub const ALERTS_KEPT: usize = 20;

    /// An app of which nothing runs yet.
    #[must_use]
    pub fn new(name: AppName, now: Timestamp) -> Self {
        Self {
            name,
            created_at: now,
            stable: None,
            rollout: None,
            pin: None,
            scale: Scale { mode: ScaleMode::Auto, wanted: 1, changed_at: None },
            instances: Vec::new(),
            route: Route::default(),
            alerts: Vec::new(),
            silences: Vec::new(),
            good: Vec::new(),
            next_number: 1,
            next_instance: 1,
        }
    }

    /// Whether nobody is to be told of `rule` now.
    #[must_use]
    pub fn is_silent(&self, rule: &str, now: Timestamp) -> bool {
        self.silences.iter().any(|silence| silence.rule == rule && silence.until > now)
    }

    /// The canary that exists: the release, while instances of it should.
    #[must_use]
    pub fn canary(&self) -> Option<Number> {
        self.rollout.as_ref().filter(|it| it.phase.runs()).map(|it| it.release)
    }

    /// The release that serves everyone now, as far as it was settled.
    #[must_use]
    pub fn serving(&self) -> Option<Number> {
        self.good.last().copied()
    }

    /// Where a rollback leads: the last good release before the one that is wished, of those that
    /// are `kept`. While another one is coming up, that is the one that still serves.
    pub fn back_to(&self, kept: impl Fn(Number) -> bool) -> Option<Number> {
        let wished = self.stable.as_ref().map(|stable| stable.release);
        let mut candidates = self.good.iter().rev().copied().filter(|good| Some(*good) != wished);
        candidates.find(|good| kept(*good))
    }
}

/// The release that should serve everyone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stable {
    /// Which.
    pub release: Number,
    /// Since when it is wished.
    pub since: Timestamp,
}

/// Automatic deploys are held, since someone went back to an earlier release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// The release that is kept.
    pub release: Number,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A canary beside stable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// The release that is tried.
    pub release: Number,
    /// The share it was given, by configuration, by a step or by hand.
    pub split: Split,
    /// The step it is at, counted from 0; `None` where no steps are configured or the share was
    /// set by hand.
    pub step: Option<usize>,
    /// When the step (or the share) began.
    pub step_since: Timestamp,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// How far it is.
    pub phase: RolloutPhase,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RolloutPhase {
    /// Its first instance is not healthy yet; no traffic.
    Starting,
    /// It takes its share.
    Serving,
    /// It takes its share; steps do not go on until `resume`.
    Paused,
    /// An alert or its death sent all traffic back to stable. Its instances are kept to be looked
    /// at, and a cleared alert (by hand) or `retry` gives the share back.
    Held {
        /// What happened, in words.
        why: String,
        /// The alert it waits for, where it was an alert.
        alert: Option<u64>,
        /// Since when.
        since: Timestamp,
    },
    /// It is to become stable; it keeps its share until stable serves the same release.
    Promoting,
    /// It became stable.
    Promoted,
    /// It was given up: no traffic, no instances.
    Aborted {
        /// Why, in words.
        why: String,
    },
}

impl RolloutPhase {
    /// Whether instances of the canary should exist.
    #[must_use]
    pub const fn runs(&self) -> bool {
        match self {
            Self::Starting | Self::Serving | Self::Paused | Self::Held { .. } | Self::Promoting => {
                true
            }
            Self::Promoted | Self::Aborted { .. } => false,
        }
    }

    /// Whether the canary should be given its share.
    #[must_use]
    pub const fn takes_traffic(&self) -> bool {
        match self {
            Self::Starting | Self::Serving | Self::Paused | Self::Promoting => true,
            Self::Held { .. } | Self::Promoted | Self::Aborted { .. } => false,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Paused => "paused",
            Self::Held { .. } => "held",
            Self::Promoting => "promoting",
            Self::Promoted => "promoted",
            Self::Aborted { .. } => "aborted",
        }
    }
}

/// How many instances stable should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Who says so.
    pub mode: ScaleMode,
    /// The number wished now.
    pub wanted: u32,
    /// When it last changed; cooldowns count from here.
    pub changed_at: Option<Timestamp>,
}

/// Who says how many instances there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleMode {
    /// The load, between `min` and `max`.
    Auto,
    /// A person: `toehold scale 3`.
    Manual,
    /// Nobody: it stays as it is.
    Frozen,
}

impl ScaleMode {
    /// Who says it, in a few words: `by load`, `by hand`, `frozen`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Auto => "by load",
            Self::Manual => "by hand",
            Self::Frozen => "frozen",
        }
    }
}

//! Alerts: something is used more than it should be, for longer than it may.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, Number, Track};
use crate::time::Timestamp;

/// An alert on one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Counted over the app; `alert/3`.
    pub id: u64,
    /// The rule's name in `[alerts.NAME]`.
    pub rule: String,
    /// The instance it is about.
    pub instance: InstanceId,
    /// The release that instance runs.
    pub release: Number,
    /// The track that instance was made for.
    pub track: Track,
    /// What it measures.
    pub metric: Metric,
    /// The mean over the window when it was raised, in percent of the allotment.
    pub value: f64,
    /// The threshold it was above, in percent.
    pub threshold: f64,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// Whether it still holds.
    pub phase: AlertPhase,
    /// When people were told that it was raised; `None` while the quiet period of its rule lasts.
    #[serde(default)]
    pub told_at: Option<Timestamp>,
    /// Who has seen it: `toehold alerts ack`.
    pub acknowledged_by: Option<String>,
}

impl Alert {
    /// Whether it still holds.
    #[must_use]
    pub const fn is_raised(&self) -> bool {
        matches!(self.phase, AlertPhase::Raised { .. })
    }
}

/// Whether an alert still holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AlertPhase {
    /// It does.
    Raised {
        /// No sample came for a while: the state is kept and shown as old.
        stale: bool,
    },
    /// It does not any more.
    Cleared {
        /// When.
        at: Timestamp,
        /// Why: below the threshold, by a person, or the instance is gone.
        why: String,
    },
}

/// What an alert measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// CPU, in percent of the instance's allotment.
    Cpu,
    /// Memory, in percent of the instance's allotment.
    Memory,
}

impl Metric {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// When an alert is raised and cleared. Numbers are compared as numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRule {
    /// Its name in `[alerts.NAME]`.
    pub name: String,
    /// What it measures.
    pub metric: Metric,
    /// Raised when the mean over the window is above this, in percent.
    pub above: f64,
    /// Cleared when it is below this, in percent; never above `above`.
    pub below: f64,
    /// The window the mean is taken over.
    pub window: Duration,
    /// The least time between two mails about the same rule and instance.
    pub quiet: Duration,
    /// The channels it is sent to: `mail`, `webhook`.
    pub notify: Vec<String>,
}

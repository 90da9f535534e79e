//! Alerts: something is used more than it should be, for longer than it may; or somebody else's
//! monitoring says that something is wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{InstanceId, Number, Track};
use crate::tell;
use crate::time::Timestamp;

/// An alert on one instance, or on a track where it was told from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Counted over the app; `alert/3`.
    pub id: u64,
    /// The rule's name in `[alerts.NAME]`, or the alert's name where it was told from outside.
    pub rule: String,
    /// What it rests on.
    #[serde(flatten)]
    pub basis: Basis,
    /// The release it is about.
    pub release: Number,
    /// The track it is about.
    pub track: Track,
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

    /// What was measured; `None` where it was told from outside.
    #[must_use]
    pub const fn measured(&self) -> Option<&Measured> {
        match &self.basis {
            Basis::Measured(measured) => Some(measured),
            Basis::Outside(_) => None,
        }
    }

    /// What was told; `None` where it was measured here.
    #[must_use]
    pub const fn outside(&self) -> Option<&Outside> {
        match &self.basis {
            Basis::Measured(_) => None,
            Basis::Outside(outside) => Some(outside),
        }
    }

    /// The instance it is about, where it is about one.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        self.measured().map(|measured| &measured.instance)
    }

    /// What it is about, in short: `cpu of web.3`, `HighErrors of the canary`.
    #[must_use]
    pub fn about(&self) -> String {
        match &self.basis {
            Basis::Measured(Measured { metric, instance, .. }) => {
                format!("{} of {}", metric.as_str(), instance.short())
            }
            Basis::Outside(_) => format!("{} of {}", self.rule, self.track),
        }
    }

    /// What was found: `cpu of web.3 is 90 %, above 45 %`, `HighErrors of canary: 5xx at 8 %`.
    #[must_use]
    pub fn finding(&self) -> String {
        match &self.basis {
            Basis::Measured(Measured { value, threshold, .. }) => {
                let (value, threshold) = (tell::percent(*value), tell::percent(*threshold));
                format!("{} is {value}, above {threshold}", self.about())
            }
            Basis::Outside(Outside { reason, .. }) if reason.is_empty() => self.about(),
            Basis::Outside(Outside { reason, .. }) => format!("{}: {reason}", self.about()),
        }
    }
}

/// What an alert rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Basis {
    /// What Toehold measured on an instance.
    Measured(Measured),
    /// What another system told.
    Outside(Outside),
}

/// A measurement above its threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The instance.
    pub instance: InstanceId,
    /// What is measured.
    pub metric: Metric,
    /// The mean over the window when it was raised, in percent of the allotment.
    pub value: f64,
    /// The threshold it was above, in percent.
    pub threshold: f64,
}

/// An alert of another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// By what that system tells its alerts apart.
    pub fingerprint: String,
    /// What it says is wrong; one line, empty where it says nothing.
    pub reason: String,
    /// Since when, by that system's clock. Together with the fingerprint it names one alert: what
    /// is told again under both is no news.
    pub since: Timestamp,
    /// Where it says more; empty where it does not say.
    pub link: String,
}

/// No messages about a rule for a while. What it does to traffic is not silenced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The rule, or the name of alerts from outside.
    pub rule: String,
    /// Until when.
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
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
    /// The channels it is sent to: `mail`, `slack`.
    pub notify: Vec<String>,
}

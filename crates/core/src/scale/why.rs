//! The reason for a change of the number of instances.

use std::fmt;

use serde_json::{Value, json};

use crate::model::Metric;
use crate::tell;

/// Why the number of instances should be another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// There are fewer than the configured least.
    BelowMin {
        /// `[scale] min`.
        min: u32,
    },
    /// There are more than the configured most.
    AboveMax {
        /// `[scale] max`.
        max: u32,
    },
    /// More was used than is aimed at, for the whole window.
    Over {
        /// What was used.
        metric: Metric,
        /// The mean over the window and the instances, in percent.
        mean_percent: f64,
        /// What is aimed at, in percent.
        target_percent: f64,
        /// How many instances would bring it to the target, before any limit.
        need: u32,
    },
    /// One fewer could carry it.
    Under {
        /// What is used most, against its target.
        metric: Metric,
        /// The mean over the window and the instances, in percent.
        mean_percent: f64,
        /// What it would be with one fewer, in percent.
        after_percent: f64,
        /// What is aimed at, in percent.
        target_percent: f64,
    },
}

impl Why {
    /// The numbers.
    #[must_use]
    pub fn facts(&self) -> Value {
        match self {
            Self::BelowMin { min } => json!({ "min": min }),
            Self::AboveMax { max } => json!({ "max": max }),
            Self::Over { metric, mean_percent, target_percent, need } => json!({
                "metric": metric,
                "mean_percent": mean_percent,
                "target_percent": target_percent,
                "need": need,
            }),
            Self::Under { metric, mean_percent, after_percent, target_percent } => json!({
                "metric": metric,
                "mean_percent": mean_percent,
                "after_percent": after_percent,
                "target_percent": target_percent,
            }),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowMin { min } => write!(f, "the least is {min}"),
            Self::AboveMax { max } => write!(f, "the most is {max}"),
            Self::Over { metric, mean_percent, target_percent, .. } => write!(
                f,
                "{} is {}, above its target of {}",
                metric.as_str(),
                tell::percent(*mean_percent),
                tell::percent(*target_percent)
            ),
            Self::Under { metric, mean_percent, after_percent, target_percent } => write!(
                f,
                "{} is {} and would be {} with one fewer, well below its target of {}",
                metric.as_str(),
                tell::percent(*mean_percent),
                tell::percent(*after_percent),
                tell::percent(*target_percent)
            ),
        }
    }
}

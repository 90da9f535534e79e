//! What the control plane itself counts, since it began.

use std::collections::BTreeMap;
use std::time::Duration;

use toehold_core::model::{AppName, Track};

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It became a release.
    Passed,
    /// A step did not pass.
    Failed,
    /// A newer push took its place.
    Superseded,
    /// Somebody stopped it.
    Cancelled,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Counts.
#[derive(Debug, Default)]
pub struct Tally {
    builds: BTreeMap<(AppName, Track, Outcome), (u64, Duration)>,
    answers: [u64; 5],
    webhooks_refused: u64,
}

impl Tally {
    /// A build ended, so long after it began.
    pub fn build(&mut self, app: &AppName, track: Track, outcome: Outcome, took: Duration) {
        let counted = self.builds.entry((app.clone(), track, outcome)).or_default();
        counted.0 += 1;
        counted.1 += took;
    }

    /// The door answered with this status.
    pub fn answer(&mut self, status: u16) {
        self.answers[usize::from(status / 100).clamp(1, 5) - 1] += 1;
    }

    /// A webhook was not believed: its signature is missing, old or none of ours.
    pub fn webhook_refused(&mut self) {
        self.webhooks_refused += 1;
    }

    /// Says all of it.
    pub fn say(&self, text: &mut super::Text) {
        for ((app, track, outcome), (count, took)) in &self.builds {
            let labels = [app.as_str(), track.as_str(), outcome.as_str()];
            text.count("toehold_builder_builds_total", &labels, *count);
            text.say("toehold_builder_build_seconds_total", &labels, took.as_secs_f64());
        }
        for (class, count) in CLASSES.iter().zip(self.answers) {
            text.count("toehold_door_answers_total", &[class], count);
        }
        text.count("toehold_door_webhooks_refused_total", &[], self.webhooks_refused);
    }
}

/// The classes of status.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

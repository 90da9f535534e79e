//! One rule on one instance: samples in, changes out.

use crate::model::{AlertRule, Metric};
use crate::sample::{Mean, Metered, Window};
use crate::time::Timestamp;

/// What came of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// The mean is above the threshold.
    Raise(Mean),
    /// The mean is below where the alert ends.
    Clear(Mean),
    /// No sample came for half a window.
    Stale,
    /// Samples come again.
    Fresh,
}

/// The samples of one rule on one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    window: Window,
    metric: Metric,
    /// When the last sample with a value came; `None` before the first.
    heard_at: Option<Timestamp>,
    stale: bool,
    raised: bool,
}

impl Gauge {
    /// A gauge that has seen nothing.
    #[must_use]
    pub const fn new(rule: &AlertRule) -> Self {
        Self {
            window: Window::new(rule.window),
            metric: rule.metric,
            heard_at: None,
            stale: false,
            raised: false,
        }
    }

    /// A gauge that takes up an alert which was raised before the samples were lost. It counts as
    /// heard at `now`, so that an instance which stays silent becomes stale all the same.
    #[must_use]
    pub fn resumed(rule: &AlertRule, stale: bool, now: Timestamp) -> Self {
        Self { heard_at: Some(now), stale, raised: true, ..Self::new(rule) }
    }

    /// Says whether the alert stands, as the app's document has it. One that a person cleared is
    /// judged by new samples alone: the old ones are what was already looked at.
    pub fn stands(&mut self, raised: bool) {
        if self.raised && !raised {
            self.window = Window::new(self.window.span());
        }
        self.raised = raised;
    }

    /// Takes in what was metered at `now`; changes come with a sample that is due, and only then.
    pub fn meter(&mut self, rule: &AlertRule, metered: Metered, now: Timestamp) -> Vec<Change> {
        match self.window.gather(self.metric, metered, now) {
            Some(value) => self.judge(rule, value, now),
            None => Vec::new(),
        }
    }

    /// Takes in one sample, `None` where it is missing.
    pub fn sample(&mut self, rule: &AlertRule, value: Option<f64>, at: Timestamp) -> Vec<Change> {
        let value = value.filter(|value| value.is_finite() && *value >= 0.0);
        self.window.push(at, value);
        self.judge(rule, value, at)
    }

    fn judge(&mut self, rule: &AlertRule, value: Option<f64>, at: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        if value.is_some() {
            if std::mem::take(&mut self.stale) {
                changes.push(Change::Fresh);
            }
            self.heard_at = Some(at);
        } else if !self.stale
            && self.heard_at.is_some_and(|heard| at.since(heard) >= rule.window / 2)
        {
            self.stale = true;
            changes.push(Change::Stale);
        }
        // The state is kept while nothing is known: a mean of half a window is the least.
        let Some(mean) = self.window.mean() else { return changes };
        if !self.raised && mean.percent > rule.above {
            self.raised = true;
            changes.push(Change::Raise(mean));
        } else if self.raised && mean.percent < rule.below {
            self.raised = false;
            changes.push(Change::Clear(mean));
        }
        changes
    }
}

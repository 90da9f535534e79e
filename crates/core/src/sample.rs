//! From readings, which come when they come, to samples at a steady pace and their mean.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Metric, Reading};
use crate::time::Timestamp;

/// For so long a reading counts as what is used now, where the next has not come yet: agents read
/// each second, and one report may be late.
const HELD: Duration = Duration::from_millis(2_500);

/// What a reading says of a metric, in percent; `None` for what is no number.
#[must_use]
pub fn percent(reading: &Reading, metric: Metric) -> Option<f64> {
    let value = match metric {
        Metric::Cpu => reading.cpu_percent,
        Metric::Memory => reading.memory_percent,
    };
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// The readings of one instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    last: Option<(Reading, Timestamp)>,
}

/// What a [`Meter`] has to say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metered {
    /// A reading that was not seen before.
    pub new: Option<Reading>,
    /// The last reading, while it is young enough to speak of now.
    pub held: Option<Reading>,
}

impl Meter {
    /// Takes in what an agent reports at `now`. Readings are told apart by the machine's clock but
    /// aged by ours, so that a clock that is off does no harm.
    pub fn read(&mut self, reported: Option<Reading>, now: Timestamp) -> Metered {
        let known = self.last.map(|(reading, _)| reading.at);
        let new = reported.filter(|reading| known != Some(reading.at));
        if let Some(reading) = new {
            self.last = Some((reading, now));
        }
        let held = self.last.filter(|(_, seen_at)| now.since(*seen_at) < HELD);
        Metered { new, held: held.map(|(reading, _)| reading) }
    }
}

/// The samples of one metric over a span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    span: Duration,
    samples: VecDeque<(Timestamp, Option<f64>)>,
    /// The sum and number of readings since the last sample.
    gathered: (f64, u32),
    next_at: Option<Timestamp>,
}

/// The mean of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// In percent.
    pub percent: f64,
    /// How many samples it is made of.
    pub samples: usize,
    /// How many a full window has.
    pub of: usize,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub const fn new(span: Duration) -> Self {
        Self { span, samples: VecDeque::new(), gathered: (0.0, 0), next_at: None }
    }

    /// The time it spans.
    #[must_use]
    pub const fn span(&self) -> Duration {
        self.span
    }

    /// The time between two samples of a window: a sixth of it, from half a second to ten seconds.
    #[must_use]
    pub fn period(span: Duration) -> Duration {
        (span / 6).clamp(Duration::from_millis(500), Duration::from_secs(10))
    }

    /// How many samples a full window has.
    #[must_use]
    pub fn slots(span: Duration) -> usize {
        let slots = span.as_millis().div_ceil(Self::period(span).as_millis());
        usize::try_from(slots).unwrap_or(usize::MAX).max(1)
    }

    /// Takes in what was metered at `now`. `Some` where a sample was due: its value, or `None` in
    /// it for a sample that is missing.
    pub fn gather(
        &mut self,
        metric: Metric,
        metered: Metered,
        now: Timestamp,
    ) -> Option<Option<f64>> {
        if let Some(value) = metered.new.and_then(|reading| percent(&reading, metric)) {
            self.gathered = (self.gathered.0 + value, self.gathered.1 + 1);
        }
        let period = Self::period(self.span);
        // Due again at a steady pace; begun anew where the pace was lost, or the clock was set back.
        match self.next_at {
            Some(next_at) if now < next_at && next_at.since(now) <= period => return None,
            Some(next_at) if next_at <= now && now.since(next_at) < period => {
                self.next_at = Some(next_at.plus(period));
            }
            Some(_) | None => self.next_at = Some(now.plus(period)),
        }
        let value = match std::mem::take(&mut self.gathered) {
            (sum, count) if count > 0 => Some(sum / f64::from(count)),
            _ => metered.held.and_then(|reading| percent(&reading, metric)),
        };
        self.push(now, value);
        Some(value)
    }

    /// Adds a sample, `None` where it is missing, and drops those that are out of the window.
    pub fn push(&mut self, at: Timestamp, value: Option<f64>) {
        if self.samples.back().is_some_and(|(last, _)| *last > at) {
            self.samples.clear();
        }
        self.samples.push_back((at, value.filter(|value| value.is_finite() && *value >= 0.0)));
        while self.samples.front().is_some_and(|(first, _)| at.since(*first) >= self.span) {
            self.samples.pop_front();
        }
    }

    /// The mean, where at least half of the window's samples are there.
    #[must_use]
    pub fn mean(&self) -> Option<Mean> {
        let of = Self::slots(self.span);
        let values: Vec<f64> = self.samples.iter().filter_map(|(_, value)| *value).collect();
        if values.is_empty() || values.len() * 2 < of {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a window has a few hundred samples at most"
        )]
        let percent = values.iter().sum::<f64>() / values.len() as f64;
        Some(Mean { percent, samples: values.len(), of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at_ms: u64, cpu: f64) -> Reading {
        Reading {
            at: Timestamp::from_ms(at_ms),
            cpu_percent: cpu,
            memory_percent: 10.0,
            memory_bytes: 0,
        }
    }

    #[test]
    fn the_pace_follows_from_the_window() {
        for (window_ms, period_ms, slots) in
            [(60_000, 10_000, 6), (6_000, 1_000, 6), (1_000, 500, 2), (300_000, 10_000, 30)]
        {
            let window = Duration::from_millis(window_ms);
            assert_eq!(Window::period(window), Duration::from_millis(period_ms));
            assert_eq!(Window::slots(window), slots, "of {window_ms} ms");
        }
    }

    #[test]
    fn a_reading_speaks_once_and_for_a_moment_longer() {
        let mut meter = Meter::default();
        let first = meter.read(Some(reading(7, 50.0)), Timestamp::from_ms(1_000));
        assert!(first.new.is_some() && first.held.is_some());
        let again = meter.read(Some(reading(7, 50.0)), Timestamp::from_ms(3_000));
        assert!(again.new.is_none() && again.held.is_some());
        let late = meter.read(Some(reading(7, 50.0)), Timestamp::from_ms(4_000));
        assert!(late.new.is_none() && late.held.is_none(), "the agent says the same for too long");
    }

    #[test]
    fn a_sample_is_the_mean_of_what_was_read_since_the_last() {
        let mut window = Window::new(Duration::from_mins(1));
        let mut meter = Meter::default();
        let mut samples = Vec::new();
        for second in 0..=10 {
            let now = Timestamp::from_ms(second * 1_000);
            let value = if second == 5 { 200.0 } else { 10.0 };
            let metered = meter.read(Some(reading(second, value)), now);
            samples.extend(window.gather(Metric::Cpu, metered, now));
        }
        assert_eq!(samples, [Some(10.0), Some(29.0)]);
    }

    #[test]
    fn what_is_no_number_is_missing() {
        let mut window = Window::new(Duration::from_mins(1));
        for (at, value) in [(0, f64::NAN), (10, f64::INFINITY), (20, -1.0), (30, 5.0), (40, 5.0)] {
            window.push(Timestamp::from_ms(at * 1_000), Some(value));
        }
        assert_eq!(window.mean(), None, "two of six");
        window.push(Timestamp::from_ms(50_000), Some(8.0));
        assert_eq!(window.mean(), Some(Mean { percent: 6.0, samples: 3, of: 6 }));
    }

    #[test]
    fn a_clock_set_back_begins_the_window_anew() {
        let mut window = Window::new(Duration::from_mins(1));
        for second in [1_000, 1_010, 1_020] {
            window.push(Timestamp::from_ms(second * 1_000), Some(90.0));
        }
        window.push(Timestamp::from_ms(500_000), Some(90.0));
        assert_eq!(window.mean(), None);
    }
}
